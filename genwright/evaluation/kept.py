"""Samples as an evaluation drew them, kept so that nobody draws them again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from genwright.core.durable import write_bytes
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import key_of

SAMPLES = "samples"
"""What the samples of the first task are called; those of another are `samples@TASK`."""


def keep(file: Path, evaluands: Iterable[Evaluand], model: str, evaluation_set: str) -> None:
    """Write the samples that were drawn, with word of which model they are by and which evaluation asked for them."""
    drawn = {key_of(SAMPLES, one.task): one.samples.contiguous() for one in evaluands if one.drawn}
    if drawn:
        write_bytes(file, save(drawn, {"model": model, "evaluation_set": evaluation_set}))


def recall(file: Path, model: str, evaluation_set: str, task: str = "") -> Tensor | None:
    """The samples of a task; None where they are not there, not whole, of another model or for another evaluation."""
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as kept:
            if kept.metadata() != {"model": model, "evaluation_set": evaluation_set}:
                return None
            key, there = key_of(SAMPLES, task), set(kept.keys())
            found: Tensor | None = kept.get_tensor(key) if key in there else None
            return found
    except (SafetensorError, OSError):
        return None
