"""Checkpoints that survive a crash at any instant: a folder each, renamed into place, with a manifest of hashes."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from genwright.core import stored
from genwright.core.durable import sync
from genwright.core.errors import TrainingError
from genwright.core.stored import S, Stored
from genwright.models.bundle import seal, verified


def save(root: Path, step: int, tensors: dict[str, Tensor], state: Stored, *, keep: set[int]) -> None:
    """Write checkpoint `step`; afterwards only it, the one before it and those in `keep` remain.

    Raises TrainingError when the disk is full; the previous checkpoints stay as they are.
    """
    root.mkdir(parents=True, exist_ok=True)
    beside, target = root / f".{step:09d}.tmp", root / f"{step:09d}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, beside / "tensors.safetensors"
        )
        stored.write(beside / "state.json", state)
        seal(beside)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        if error.errno == errno.ENOSPC:
            raise TrainingError(
                "The disk is full; the last checkpoint is kept.", got=root, do="free space and run the same command again"
            ) from error
        raise
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)
    sync(root)
    for old in steps(root)[:-2]:
        if old not in keep:
            shutil.rmtree(root / f"{old:09d}")


def steps(root: Path) -> list[int]:
    """The steps of the checkpoints there are, in order."""
    return sorted(int(p.name) for p in root.iterdir() if p.name.isdigit()) if root.is_dir() else []


def load(root: Path, step: int, kind: type[S]) -> tuple[dict[str, Tensor], S]:
    """Tensors and state of one checkpoint."""
    folder = root / f"{step:09d}"
    return load_file(folder / "tensors.safetensors"), stored.read(kind, folder / "state.json")


def newest(root: Path, kind: type[Stored]) -> tuple[int | None, list[int]]:
    """The newest step whose bytes verify and whose state can be read, and the newer ones of which that is not so."""
    damaged: list[int] = []
    for step in reversed(steps(root)):
        folder = root / f"{step:09d}"
        if verified(folder) and stored.readable(kind, folder / "state.json") is not None:
            return step, damaged
        damaged.append(step)
    return None, damaged
