"""Kills a small pipeline at random moments for as long as it is given, and compares what came of it with a run that nobody
disturbed: weights to the bit, versions, the champion, the ledger. `make soak`, or `python -m trials.soak --minutes 30`.

Two recipes: pictures by two models, one in the latents of the other, and texts by one. Exit code 1 where anything differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from genwright.adapters.mlflow.registry import Registry
from genwright.core.workspace import Workspace
from tests.workspaces import fill, write

QUICK = {"budget": {"steps": 12}}
PICTURES: dict[str, Any] = {
    "name": "pictures",
    "content": {"kind": "image", "size": [16, 16], "channels": 1},
    "condition": "label",
    "sources": [{"kind": "sklearn", "dataset": "digits"}],
    "derived": {"code": {"kind": "encoded", "of": "content", "by": "codec"}},
    "makes": "content",
    "models": {
        "codec": {
            "makes": "content",
            "select": {"families": ["vae"], **QUICK},
            "train": {"budget": {"steps": 40}, "rounds": 1},
            "config": {"vae": {"spatial": 2}},
        },
        "painter": {
            "makes": "code",
            "given": ["condition"],
            "select": {"families": ["diffusion"], **QUICK},
            "train": {"budget": {"steps": 40}, "rounds": 1},
            "sampling": {"diffusion": {"steps": 4}},
        },
    },
    "samples": 32,
}
TEXTS: dict[str, Any] = {
    "name": "texts",
    "content": {"kind": "text", "vocab": 300, "length": 32},
    "sources": [{"kind": "folder", "path": "texts"}],
    "split": {"validation": 0.2, "test": 0.2},
    "select": {"families": ["gpt"], **QUICK},
    "train": {"budget": {"steps": 60}, "rounds": 1},
    "samples": 16,
}
PATIENCE = 600.0  # seconds that one run is given


@dataclass(frozen=True)
class Came:
    """What came of a recipe: versions to weights by model, the champion, the ledger without what says when and by whom."""

    weights: dict[str, list[str]]
    champions: dict[str, str | None]
    ledger: Mapping[str, Sequence[tuple[str, int | None, int | None]]]


def prepare(root: Path) -> None:
    """A workspace with the recipes and the texts."""
    fill(root / "texts", "text", 200)
    for recipe in (PICTURES, TEXTS):
        write(root, recipe)


def start(root: Path, recipe: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(root), "GENWRIGHT_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "genwright", "run", recipe]
    with (root / "said.log").open("ab") as said:
        return subprocess.Popen(command, env=environment, cwd=root, stdout=said, stderr=said)


def finish(running: subprocess.Popen[bytes], root: Path) -> None:
    if running.wait(PATIENCE) != 0:
        raise SystemExit(f"a run ended with {running.returncode}:\n{(root / 'said.log').read_text(errors='replace')[-3000:]}")


def kill(pid: int) -> list[str]:
    """kill -9; what that process had started and what is still there 15 s later. Nothing where it has just ended."""
    try:
        family = psutil.Process(pid).children(recursive=True)
        os.kill(pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return []
    return [" ".join(one.cmdline()) for one in psutil.wait_procs(family, timeout=15)[1]]


def came(root: Path) -> Came:
    registry = Registry(Workspace(root))
    names = registry.versions.names()
    champions = {name: None if (one := registry.champion(name)) is None else one.weights for name in names}
    wrong = [line for name in names for line in registry.verify(name)]
    if wrong:
        raise SystemExit(f"a ledger was altered: {wrong}")
    weights = {name: [version.weights for version in registry.versions.of(name)] for name in names}
    entries = {name: [e for e in registry.ledger(name).entries() if e.what != "noticed"] for name in names}
    return Came(weights, champions, {name: [(e.what, e.before, e.after) for e in told] for name, told in entries.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance, end = random.Random(asked.seed), time.monotonic() + 60 * asked.minutes
    counted = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        prepare(Path(place) / "whole")
        lengths = {}
        for recipe in ("pictures", "texts"):
            began = time.monotonic()
            finish(start(Path(place) / "whole", recipe), Path(place) / "whole")
            lengths[recipe] = time.monotonic() - began
        wanted = came(Path(place) / "whole")
        print(f"undisturbed: {', '.join(f'{name} {seconds:.0f} s' for name, seconds in lengths.items())}", flush=True)
        while time.monotonic() < end:
            # A folder for each: MLflow keeps the databases open that it has read.
            once(Path(place) / f"killed-{counted['workspaces']}", chance, lengths, wanted, counted)
            print(f"{counted['workspaces']} workspaces, {counted['kills']} kills, all equal", flush=True)


def once(root: Path, chance: random.Random, lengths: dict[str, float], wanted: Came, counted: Counter[str]) -> None:
    """One workspace, killed a few times in each recipe, and compared."""
    prepare(root)
    for recipe, length in lengths.items():
        for _ in range(chance.randint(1, 4)):
            running = start(root, recipe)
            try:
                running.wait(chance.uniform(0.3, length))
                break  # it was faster
            except subprocess.TimeoutExpired:
                left = kill(running.pid)
                running.wait()
                counted["kills"] += 1
                if left:
                    raise SystemExit(f"left behind by a killed run: {left}") from None
        finish(start(root, recipe), root)
    found = came(root)
    if found != wanted:
        raise SystemExit(f"after kills it came otherwise:\n{found}\nwanted:\n{wanted}")
    counted["workspaces"] += 1
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
