"""What a loss sees: the content of some rows, and what each of them is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genwright.core.shapes import PAD, Label, Shape, Tokens


@dataclass(frozen=True)
class Given:
    """A column of some rows. `value`: Signal float32 (n, channels, *axes), Tokens int64 (n, length) ended by EOS and PAD,
    Label int64 (n,); zeros (PAD) in the rows that lack it. `present`: bool (n,), which rows have it."""

    value: Tensor
    present: Tensor

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, rows: Tensor | slice) -> Given:
        return Given(self.value[rows], self.present[rows])

    def to(self, device: torch.device | str) -> Given:
        return Given(self.value.to(device), self.present.to(device))

    @classmethod
    def all(cls, value: Tensor) -> Given:
        """A column that every row has."""
        return cls(value, torch.ones(len(value), dtype=torch.bool, device=value.device))

    @classmethod
    def none(cls, shape: Shape, n: int, device: torch.device | str = "cpu") -> Given:
        """A column that no row has."""
        return cls(blank(shape, n, device), torch.zeros(n, dtype=torch.bool, device=device))


@dataclass(frozen=True)
class Batch:
    """Some rows of a data set as a model sees them. Content: Signal float32 (n, channels, *axes), or Tokens int64
    (n, length), beginning with BOS where an item begins and ended by EOS and PAD where it ends; None where nothing is
    made. A column that is not among the given is absent from every row."""

    content: Tensor | None
    given: Mapping[str, Given] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.content) if self.content is not None else len(next(iter(self.given.values())))

    @property
    def made(self) -> Tensor:
        """The content of a model that makes something."""
        assert self.content is not None
        return self.content

    def __getitem__(self, rows: Tensor | slice) -> Batch:
        content = None if self.content is None else self.content[rows]
        return Batch(content, {name: given[rows] for name, given in self.given.items()})

    def to(self, device: torch.device | str) -> Batch:
        content = None if self.content is None else self.content.to(device)
        return Batch(content, {name: given.to(device) for name, given in self.given.items()})

    def split(self, parts: int) -> list[Batch]:
        """The batch cut into at most `parts` micro-batches."""
        size = -(-len(self) // parts)
        return [self[start : start + size] for start in range(0, len(self), size)]


def blank(shape: Shape, n: int, device: torch.device | str = "cpu") -> Tensor:
    """The values of `n` rows that have none: zeros, or PAD."""
    if isinstance(shape, Tokens):
        return torch.full((n, shape.length), PAD, dtype=torch.int64, device=device)
    if isinstance(shape, Label):
        return torch.zeros(n, dtype=torch.int64, device=device)
    return torch.zeros(n, *shape.dims, device=device)


def stack(rows: Sequence[Tensor | None], shape: Shape) -> Given:
    """Rows without their batch axis as one column; None for a row that lacks it."""
    present = torch.tensor([row is not None for row in rows], dtype=torch.bool)
    empty = blank(shape, 1)[0]
    return Given(torch.stack([empty if row is None else row for row in rows]), present)
