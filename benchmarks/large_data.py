"""Large data: a JSONL file and a tar of pictures, looked at, collected and cleaned by the rules that `genwright new` writes.
Time should grow in a line and memory not at all; the most that each held is said beside it."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from genwright.core import stored
from genwright.core.workspace import Workspace
from genwright.recipes import stages
from genwright.recipes.recipe import parse
from genwright.recipes.suggest import RULES

MIB = 2**20
LONG = True  # half an hour


def runs(quick: bool) -> Iterator[tuple[str, float]]:
    """Each size once, the smaller ones first."""
    for mib in (1, 2) if quick else (256, 1024, 2048):
        yield from _stages(f"{mib} MiB of JSONL", lambda root, mib=mib: _texts(root, mib))
    for count in (200, 400) if quick else (25_000, 50_000, 100_000):
        yield from _stages(f"{count} pictures in a tar", lambda root, count=count: _pictures(root, count))


def _stages(what: str, make: Any) -> Iterator[tuple[str, float]]:
    """Looking, collecting and cleaning, each in a process of its own, as a person and the data stages do."""
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace(Path(place))
        recipe = parse({"name": "large", "cleaning": list(RULES), **make(workspace.root)})
        source = workspace.root / recipe.sources[0].options["path"]
        commands = {
            "new": ["genwright", "new", "large", "--from", str(source), "--dry-run"],
            "collect": ["genwright.data.collect", "large"],
            "clean": ["genwright.data.clean", "large"],
        }
        for stage, command in commands.items():
            if stage != "new":
                spec = stages.collecting(recipe, workspace) if stage == "collect" else stages.cleaning(recipe)
                stored.write(workspace.data / "large" / f"{stage}.json", spec)
            seconds, peak = _measured(command, workspace.root)
            yield f"{what}, {stage} ({50 * round(peak / 50)} MiB)", seconds


def _measured(command: list[str], root: Path) -> tuple[float, float]:
    """Seconds, and the most memory held, in MiB."""
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(root)}
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *command], env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.perf_counter() - began, used.ru_maxrss / 1024


def _texts(root: Path, mib: int) -> dict[str, Any]:
    """Rows of about a kilobyte, all different."""
    chance = random.Random(0)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(20_000)]
    size, number = 0, 0
    with (root / "large.jsonl").open("w") as file:
        while size < mib * MIB:
            number += 1
            size += file.write(json.dumps({"text": f"{number} " + " ".join(chance.choices(words, k=150))}) + "\n")
    source = {"kind": "folder", "path": "large.jsonl", "form": {"kind": "table", "content": "text"}}
    return {"content": {"kind": "text", "vocab": 2048}, "sources": [source]}


def _pictures(root: Path, count: int) -> dict[str, Any]:
    """Pictures of 32 x 32, all different, each with a caption."""
    chance = np.random.default_rng(0)
    with tarfile.open(root / "large.tar", "w") as archive:
        for number in range(count):
            png = io.BytesIO()
            Image.fromarray(chance.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(png, format="PNG", compress_level=1)
            for field, data in (("png", png.getvalue()), ("txt", f"picture {number}".encode())):
                member = tarfile.TarInfo(f"{number:08d}.{field}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    source = {"kind": "folder", "path": "large.tar", "form": {"kind": "tar", "content": "png", "given": {"caption": "txt"}}}
    content, condition = {"kind": "image", "size": [32, 32]}, {"kind": "text", "vocab": 512, "length": 16}
    return {"content": content, "condition": condition, "sources": [source]}
