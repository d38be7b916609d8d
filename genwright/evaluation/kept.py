"""Samples as an evaluation drew them, kept so that nobody draws them again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from genwright.core import sealed
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import key_of

SAMPLES = "samples"
"""What the samples of the first task are called; those of another are `samples@TASK`."""


def keep(file: Path, evaluands: Iterable[Evaluand], model: str, evaluation_set: str) -> None:
    """Write the samples that were drawn, with word of which model they are by and which evaluation asked for them."""
    drawn = {key_of(SAMPLES, one.task): one.samples.contiguous() for one in evaluands if one.drawn}
    if drawn:
        sealed.write(file, drawn, model=model, evaluation_set=evaluation_set)


def recall(file: Path, model: str, evaluation_set: str, task: str = "") -> Tensor | None:
    """The samples of a task; None where they are not there, not whole, of another model or for another evaluation."""
    kept = sealed.read(file, model=model, evaluation_set=evaluation_set)
    return None if kept is None else kept.get(key_of(SAMPLES, task))
