"""Checkpoints that survive a crash at any instant: a file each, written beside and renamed into place.

`000000120.safetensors` has the tensors of a step, `best-000000100.safetensors` the weights that were best until then, once
for all checkpoints that follow. Progress and a checksum lie in the file's own metadata, so a file is whole or none.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from genwright.core import machine, stored
from genwright.core.durable import sync
from genwright.core.errors import FormatError, TrainingError
from genwright.training.progress import Progress

SUFFIX, BEST = ".safetensors", "best-"
TOLD, SUM = "progress", "checksum"  # names in the metadata


@dataclass(frozen=True)
class Checkpoint:
    """One that was read and whose bytes are those that were written. `best` is empty where nothing was measured yet."""

    progress: Progress
    tensors: dict[str, Tensor]
    best: dict[str, Tensor]


def save(root: Path, progress: Progress, tensors: Mapping[str, Tensor]) -> None:
    """Write the checkpoint of `progress.step`. Tensors are on the CPU.

    Raises TrainingError when the disk is full; the previous checkpoints stay as they are.
    """
    _write(root / f"{progress.step:09d}{SUFFIX}", tensors, stored.line(progress))


def save_best(root: Path, step: int, weights: Mapping[str, Tensor]) -> None:
    """Write the weights of a step, the best so far, unless they are there. Raises TrainingError when the disk is full."""
    file = root / f"{BEST}{step:09d}{SUFFIX}"
    if not file.is_file():
        _write(file, weights, "")


def load(root: Path, step: int) -> Checkpoint | None:
    """The checkpoint of a step, None when it, or the best weights it goes with, are not there or damaged, or of a format
    that is not known here."""
    found = _read(root / f"{step:09d}{SUFFIX}")
    progress = _progress(found[1]) if found else None
    if found is None or progress is None:
        return None
    best = _read(root / f"{BEST}{progress.best_step:09d}{SUFFIX}") if progress.best_step else None
    if best is None and progress.best_step:
        return None
    return Checkpoint(progress, found[0], best[0] if best else {})


def newest(root: Path, at_most: int | None = None) -> tuple[Checkpoint | None, list[int]]:
    """The newest checkpoint (up to a step) whose bytes verify, and the steps of newer ones that do not."""
    damaged: list[int] = []
    for step in reversed(steps(root)):
        if at_most is None or step <= at_most:
            found = load(root, step)
            if found is not None:
                return found, damaged
            damaged.append(step)
    return None, damaged


def steps(root: Path) -> list[int]:
    """The steps of the checkpoints there are, in order."""
    return sorted(int(p.stem) for p in root.glob(f"*{SUFFIX}") if p.stem.isdigit())


def prune(root: Path, keep: set[int]) -> None:
    """Remove checkpoints other than those, best weights that none of those goes with, and what a crash left half written."""
    for file in root.glob(".*.tmp"):
        file.unlink()
    best = set()
    for step in steps(root):
        file = root / f"{step:09d}{SUFFIX}"
        if step not in keep:
            file.unlink()
            continue
        told = _metadata(file)
        progress = _progress(told[TOLD]) if told else None
        best.add(f"{BEST}{progress.best_step if progress else 0:09d}{SUFFIX}")
    for file in root.glob(f"{BEST}*{SUFFIX}"):
        if file.name not in best:
            file.unlink()


def _write(file: Path, tensors: Mapping[str, Tensor], told: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.tmp")
    metadata = {TOLD: told, SUM: str(_checksum(tensors, told))}
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside, metadata)
        sync(beside)
    except (OSError, SafetensorError) as error:
        beside.unlink(missing_ok=True)
        if machine.refused(error) == "full":
            raise TrainingError(
                "The disk is full; the last checkpoint is kept.",
                got=file.parent,
                do="free space and run the same command again",
            ) from error
        raise
    beside.replace(file)
    sync(file.parent)


def _read(file: Path) -> tuple[dict[str, Tensor], str] | None:
    """Tensors and what is told beside them, None when the file is not there or other than it was written."""
    metadata = _metadata(file)
    if metadata is None:
        return None
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError):
        return None
    return (tensors, metadata[TOLD]) if metadata.get(SUM) == str(_checksum(tensors, metadata[TOLD])) else None


def _progress(told: str) -> Progress | None:
    try:
        return stored.parse(Progress, told, "a checkpoint")
    except FormatError:
        return None


def _metadata(file: Path) -> dict[str, str] | None:
    try:
        with safe_open(file, "pt") as opened:
            found: dict[str, str] | None = opened.metadata()
            return found if found and TOLD in found else None
    except (OSError, SafetensorError):
        return None


def _checksum(tensors: Mapping[str, Tensor], told: str) -> int:
    """CRC-32 of everything: for accidents, not for forgers, and twice as quick as SHA-256."""
    value = zlib.crc32(told.encode())
    for name in sorted(tensors):
        value = zlib.crc32(name.encode(), value)
        value = zlib.crc32(tensors[name].contiguous().flatten().view(torch.uint8).numpy().data, value)
    return value
