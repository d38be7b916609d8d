"""Workspaces with made data and small recipes, and the command line in them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from select import select
from tempfile import mkdtemp
from typing import Any

import yaml

from genwright.core.workspace import Workspace
from genwright.data.modalities.base import modalities

ROOT = Path(__file__).parents[1]
BUDGETS: dict[str, Any] = {
    "select": {"families": ["gan", "vae", "diffusion", "gpt", "seq2seq"], "dials": [0.125], "budget": {"steps": 4}},
    "train": {"budget": {"steps": 8}, "rounds": 1, "batch_size": 16, "evaluate": 2},
    "samples": 16,
}
PICTURES: dict[str, Any] = {
    "name": "shapes",
    "content": {"kind": "image", "size": [8, 8], "channels": 1},
    "condition": "label",
    "sources": [{"kind": "folder", "path": "shapes", "labels": "subfolder"}],
    "cleaning": ["corrupt", "exact_duplicates"],
    "split": {"validation": 0.2, "test": 0.3},
    **BUDGETS,
}


START = 60.0  # seconds that a warm process is given to import what it does, once
SCRATCH: list[Path] = []
"""Folders that tests share, removed when all have run."""


def scratch() -> Path:
    """An empty folder for what several tests use."""
    SCRATCH.append(Path(mkdtemp(prefix="genwright-tests-")))
    return SCRATCH[-1]


@cache
def migrated() -> Path:
    """A SQLite file with MLflow's tables; creating them takes seconds, copying it does not."""
    from genwright.adapters.mlflow.registry import Registry

    workspace = Workspace(scratch())
    assert Registry(workspace).mlflow.client is not None
    return workspace.state / "mlflow.db"


@cache
def served() -> Path:
    """A folder with the database of a Prefect server that was started once, which takes longer still."""
    workspace = Workspace(scratch())
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace.root)}
    subprocess.run([sys.executable, "-m", "tests.driver"], input="[]", env=environment, cwd=ROOT, text=True, check=True)
    return workspace.state / "prefect"


def founded(folder: Path) -> Path:
    """A folder made a workspace in which nothing has run yet, though it has its databases."""
    state = folder / ".genwright"
    shutil.copytree(served(), state / "prefect")
    shutil.copy(migrated(), state / "mlflow.db")
    return folder


@cache
def warm() -> subprocess.Popen[bytes]:
    """What `genwright` asks."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.warm"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,  # or a line might be read ahead, and waited for
        start_new_session=True,
    )


@dataclass(frozen=True)
class Running:
    """A command line in a process of its own, `pid`, that a warm one has forked (`tests/warm.py`)."""

    arguments: tuple[str, ...]
    pid: int
    told: Path

    def wait(self, limit: float) -> subprocess.CompletedProcess[str]:
        """What came of it. Raises TimeoutExpired while it runs on after `limit` seconds."""
        code = answer("code", self.arguments, limit)
        out, errors = ((self.told / name).read_text() for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(["genwright", *self.arguments], code, out, errors)


def answer(what: str, arguments: Sequence[str], limit: float) -> int:
    """The `pid` or `code` that the warm process tells next. Raises RuntimeError where it tells another."""
    asking = warm()
    assert asking.stdout is not None
    if not select([asking.stdout], [], [], limit)[0]:
        raise subprocess.TimeoutExpired(["genwright", *arguments], limit)
    told, _, number = asking.stdout.readline().decode().partition(" ")
    if told != what:
        raise RuntimeError(f"{told!r} instead of {what!r}")
    return int(number)


def end_warm() -> None:
    """End the warm process and what it has forked: else that would answer for what is asked next."""
    os.killpg(warm().pid, signal.SIGKILL)
    warm().wait()
    warm.cache_clear()


def begin(workspace: Path, *arguments: str, **variables: str) -> Running:
    """`genwright` with these arguments, begun. What a test before left running is ended first."""
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace), "GENWRIGHT_THREADS": "1", **variables}
    told = scratch()
    asked = {"arguments": arguments, "environment": environment, "folder": str(workspace), "told": str(told)}
    try:
        return Running(arguments, forked(asked), told)
    except (RuntimeError, subprocess.TimeoutExpired):
        end_warm()
        return Running(arguments, forked(asked), told)


def forked(asked: dict[str, Any]) -> int:
    """The process that the warm one forks for this."""
    stdin = warm().stdin
    assert stdin is not None
    stdin.write(json.dumps(asked).encode() + b"\n")
    return answer("pid", asked["arguments"], START)


def genwright(workspace: Path, *arguments: str, limit: float = 500, **variables: str) -> subprocess.CompletedProcess[str]:
    """`genwright` with these arguments, to its end; it is ended after `limit` seconds."""
    running = begin(workspace, *arguments, **variables)
    try:
        return running.wait(limit)
    except BaseException:
        end_warm()
        raise


def outcome(done: subprocess.CompletedProcess[str], *, judged: bool = False) -> dict[str, Any]:
    """What a run said as JSON; with `judged`, also of one whose model lost against the champion."""
    assert done.returncode in ((0, 3) if judged else (0,)), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write(workspace: Path, recipe: dict[str, Any]) -> None:
    """A recipe of a workspace, which gets its databases with its first."""
    if not (workspace / ".genwright").exists():
        founded(workspace)
    (workspace / "recipes").mkdir(exist_ok=True)
    (workspace / "recipes" / f"{recipe['name']}.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))


def fill(folder: Path, kind: str, n: int, *, kinds: int = 1) -> None:
    """`n` made files of a kind, in `kinds` subfolders."""
    modality = modalities.get(kind)
    for place, data in enumerate(modality.fixture(n)):
        inner = folder / f"kind{place % kinds}" if kinds > 1 else folder
        inner.mkdir(parents=True, exist_ok=True)
        (inner / f"{place:03d}{modality.suffix}").write_bytes(data)
