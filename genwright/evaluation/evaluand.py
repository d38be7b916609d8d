"""A model, a data set and a split, brought together to be measured; samples are drawn once and shared by all measures."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genwright.core.shapes import BOS, EOS, PAD, Label, Tokens
from genwright.data.dataset import Batch, Dataset, Split
from genwright.data.modalities.base import Modality, build
from genwright.models.architectures.base import Architecture, SampleOptions


@dataclass
class Evaluand:
    """`side` is the held-out split measured against; `count` how many samples are drawn, `seed` from which seed.

    Samples are conditioned like the data: classes in equal shares for a Label, the held-out items' own conditions
    (repeated in order) for anything else. `share` is how much of what the model is to know the held-out items are: 1, or
    less where they are those of earlier, smaller data.
    """

    model: Architecture
    dataset: Dataset
    side: str
    count: int
    seed: int
    options: SampleOptions
    device: str = "cpu"
    batch: int = 128
    share: float = 1.0
    _drawn: dict[str, Tensor] = field(default_factory=dict)

    @property
    def held_out(self) -> Split:
        return self.dataset.side(self.side)

    @cached_property
    def content(self) -> Modality:
        return build(self.dataset.contents.content_part, self.dataset.folder / "content")

    @cached_property
    def condition(self) -> Modality | None:
        part = self.dataset.contents.condition_part
        return None if part is None else build(part, self.dataset.folder / "condition")

    @cached_property
    def conditions(self) -> Tensor | None:
        """(count, ...) what the samples are conditioned on; None for an unconditional model."""
        shape = self.model.condition
        if shape is None:
            return None
        if isinstance(shape, Label):
            return torch.arange(self.count) % shape.classes
        indices = np.arange(self.count) % max(1, len(self.held_out))
        return self.held_out.items(indices).condition

    @cached_property
    def samples(self) -> Tensor:
        """(count, ...) samples of the model, the same for the same seed."""
        return draw(self.model, self.count, self.conditions, self.options, self.seed, device=self.device, batch=self.batch)


def draw(
    model: Architecture,
    count: int,
    conditions: Tensor | None,
    options: SampleOptions,
    seed: int,
    *,
    device: str = "cpu",
    batch: int = 128,
    prefix: Tensor | None = None,
) -> Tensor:
    """(count, ...) samples on the CPU. Batches are seeded one by one, so equal arguments give equal samples."""
    training = model.training
    model.eval()
    pieces = []
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            for start in range(0, count, batch):
                torch.manual_seed(seed * 1_000_003 + start)
                n = min(batch, count - start)
                rows = None if conditions is None else conditions[start : start + n].to(device)
                begin = None if prefix is None else prefix[:1].expand(n, -1).to(device)
                pieces.append(model.sample(n, rows, options, begin).cpu())
    finally:
        model.train(training)
    return torch.cat(pieces)


def decode(modality: Modality, rows: Tensor) -> list[Any]:
    """The values of samples as a family gives them: arrays as they are, sequences up to their EOS."""
    if not isinstance(modality.shape, Tokens):
        return [modality.decode(row) for row in rows.numpy()]
    values = []
    for row in rows.numpy():
        ends = np.flatnonzero(row == EOS)
        row = row[: ends[0]] if len(ends) else row
        values.append(modality.decode(row[(row != PAD) & (row != BOS)]))
    return values


def batches(split: Split, size: int, limit: int | None = None) -> list[Batch]:
    """The first `limit` items of a split in stored order, in batches."""
    n = len(split) if limit is None else min(limit, len(split))
    return [split.items(np.arange(i, min(i + size, n))) for i in range(0, n, size)]
