"""Turns one byte in every file that a workspace holds, one file after the other, and runs the same command again: the champion
must be the same, to the bit, with the same measures, or it is said what is wrong. `make flips`, or `python -m trials.flips`.

What comes otherwise, or ends as a fault of ours, is listed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.workspaces import PICTURES, fill, genwright, write

RECIPE: dict[str, Any] = {**PICTURES, "select": {"families": ["vae"], "budget": {"steps": 4}}}
LEFT_OUT = re.compile(r"(^|/)(locks|logs|tmp)/|\.log$|\.lock$|/lock$|^shapes/|^recipes/|-(shm|wal)$")
"""Held by a kernel, for people to read, or a person's own: nothing is read back from them."""


@dataclass(frozen=True)
class Seen:
    """What a workspace gives: version, weights' hash, measures and samples; or what was said instead."""

    code: int
    result: Any
    said: str = ""


def prepare(root: Path) -> None:
    """A workspace with pictures of three kinds and their recipe."""
    fill(root / "shapes", "image", 150, kinds=3)
    write(root, RECIPE)


def look(root: Path) -> Seen:
    """Run the recipe and draw with what is the champion."""
    ran = genwright(root, "run", "shapes", "--json")
    if ran.returncode:
        return Seen(ran.returncode, None, ran.stderr)
    told = json.loads(ran.stdout)
    drew = genwright(root, "generate", "shapes", "-n", "2", "--json", "--out", str(root / "drawn"))
    if drew.returncode:
        return Seen(drew.returncode, None, drew.stderr)
    drawn = json.loads(drew.stdout)
    measures = {name: one["value"] for name, one in told["evaluation"]["measures"].items()}
    return Seen(0, (told["champion"], told["data"], drawn["model"]["weights"], measures, drawn["files"]), ran.stderr)


def files(root: Path) -> list[str]:
    """What is stored, by path; of files that differ by a hash in their names alone, which are alike, the first."""
    found: dict[str, str] = {}
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        name = file.relative_to(root).as_posix()
        if file.stat().st_size and not LEFT_OUT.search(name):
            found.setdefault(re.sub(r"/[0-9a-f]{2}/[0-9a-f]{30,}(?=$|/)", "/HASH", name), name)
    return sorted(found.values())


def flip(file: Path, chance: random.Random) -> None:
    """Turn one bit of a byte at random."""
    mode, data = file.stat().st_mode, bytearray(file.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(7)
    file.chmod(mode | 0o200)  # what is in a cache is not to be written
    file.write_bytes(bytes(data))
    file.chmod(mode)


def verdict(wanted: Seen, seen: Seen) -> tuple[bool, str]:
    """Whether that is as promised, and what a person sees."""
    if seen.code == 0 and seen.result == wanted.result:
        return True, "the same"
    if seen.code == 1:
        return True, " ".join(seen.said[seen.said.find("error:") :].split())
    return False, f"exit code {seen.code}: {seen.result or seen.said[-600:]}"


@contextmanager
def kept(root: Path) -> Iterator[Path]:
    """A copy beside a workspace, to bring it back from."""
    with tempfile.TemporaryDirectory(prefix="flips-") as place:
        copy = Path(place) / "copy"
        shutil.copytree(root, copy, symlinks=True)
        yield copy


def bring_back(root: Path, copy: Path) -> None:
    shutil.rmtree(root)
    shutil.copytree(copy, root, symlinks=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a part of the paths that are tried")
    asked = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="flipped-") as place:
        root = Path(place) / "workspace"
        prepare(root)
        look(root)
        wanted = look(root)  # as a repeated run says it
        with kept(root) as copy:
            for name in files(root):
                if asked.only in name:
                    flip(root / name, random.Random(f"{asked.seed} {name}"))
                    fine, told = verdict(wanted, look(root))
                    wrong += not fine
                    print(f"{'' if fine else 'WRONG '}{name}: {told}", flush=True)
                    bring_back(root, copy)
    if wrong:
        raise SystemExit(f"{wrong} were not as promised")


if __name__ == "__main__":
    main()
