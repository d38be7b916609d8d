"""Workspaces with made data and small recipes, and the command line in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from genwright.data.modalities.base import modalities

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


def genwright(workspace: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace), "GENWRIGHT_THREADS": "1", **variables}
    command = [sys.executable, "-m", "genwright", *arguments]
    return subprocess.run(command, env=environment, cwd=workspace, capture_output=True, text=True, timeout=500)


def outcome(done: subprocess.CompletedProcess[str], *, judged: bool = False) -> dict[str, Any]:
    """What a run said as JSON; with `judged`, also of one whose model lost against the champion."""
    assert done.returncode in ((0, 3) if judged else (0,)), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write(workspace: Path, recipe: dict[str, Any]) -> None:
    (workspace / "recipes").mkdir(exist_ok=True)
    (workspace / "recipes" / f"{recipe['name']}.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))


def fill(folder: Path, kind: str, n: int, *, kinds: int = 1) -> None:
    """`n` made files of a kind, in `kinds` subfolders."""
    modality = modalities.get(kind)
    for place, data in enumerate(modality.fixture(n)):
        inner = folder / f"kind{place % kinds}" if kinds > 1 else folder
        inner.mkdir(parents=True, exist_ok=True)
        (inner / f"{place:03d}{modality.suffix}").write_bytes(data)
