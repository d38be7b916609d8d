"""Workspaces with made data and small recipes, and the command line in them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
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
def warm() -> subprocess.Popen[str]:
    """What `genwright` asks."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.warm"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def genwright(workspace: Path, *arguments: str, limit: float = 500, **variables: str) -> subprocess.CompletedProcess[str]:
    """`genwright` with these arguments, in a process of its own; see `tests/warm.py`. It is ended after `limit` seconds."""
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace), "GENWRIGHT_THREADS": "1", **variables}
    told, asking = scratch(), warm()
    asked = {"arguments": arguments, "environment": environment, "folder": str(workspace), "told": str(told)}
    assert asking.stdin is not None
    assert asking.stdout is not None
    print(json.dumps(asked), file=asking.stdin, flush=True)
    try:
        if not select([asking.stdout], [], [], limit)[0]:
            raise subprocess.TimeoutExpired(["genwright", *arguments], limit)
        code = int(asking.stdout.readline())
    except BaseException:  # also of a test that took too long: what still runs would answer for the next
        os.killpg(asking.pid, signal.SIGKILL)
        asking.wait()
        warm.cache_clear()
        raise
    out, errors = ((told / name).read_text() for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(["genwright", *arguments], code, out, errors)


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
