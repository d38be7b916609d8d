"""A cleaned, encoded data set on disk, read through memory maps; batches are a pure function of (seed, step).

Files of a cleaned folder, for SPLIT in train, validation, test and ROLE in content, condition:

- `dataset.json`: DatasetContents; `content/` and `condition/`: what the modalities learned
- `items-NNNN.parquet`: the kept items with provenance and original bytes, `quarantine-NNNN.parquet`: the dropped ones
- `SPLIT.ROLE.npy`: Signal (n, channels, *axes) uint8 or float32; Label (n,) int64; Tokens: all items' tokens end to end
  (no BOS, EOS, PAD), with `SPLIT.ROLE.offsets.npy` (n + 1,) int64
- `SPLIT.bytes.npy` (n,) int64: raw bytes of each item; `SPLIT.digests.npy` (n,) S64: its content hash
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.errors import DataError
from genwright.core.shapes import BOS, EOS, PAD, Shape, Signal, Tokens
from genwright.data.records import DatasetContents

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Batch:
    """What a loss sees. Content: Signal float32 (b, channels, *axes) in [-1, 1], or Tokens int64 (b, length), beginning
    with BOS where an item begins and ended by EOS and PAD where it ends. Condition: Label int64 (b,), Signal like
    content, Tokens int64 (b, length) ended by EOS and PAD; None where the data set has none."""

    content: Tensor
    condition: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        return Batch(self.content.to(device), None if self.condition is None else self.condition.to(device))

    def split(self, parts: int) -> list[Batch]:
        """The batch cut into `parts` micro-batches."""
        contents = self.content.chunk(parts)
        conditions = [None] * len(contents) if self.condition is None else list(self.condition.chunk(parts))
        return [Batch(a, b) for a, b in zip(contents, conditions, strict=True)]


class Column:
    """One role (content or condition) of one split: row i as the models see it."""

    def __init__(self, folder: Path, stem: str, shape: Shape, *, begin: bool) -> None:
        self.shape, self._begin = shape, begin
        self.array = np.load(folder / f"{stem}.npy", mmap_mode="r")
        self.offsets = np.load(folder / f"{stem}.offsets.npy", mmap_mode="r") if isinstance(shape, Tokens) else None

    def rows(self, indices: Integers) -> Tensor:
        """Rows as a tensor, in the order asked for."""
        if isinstance(self.shape, Tokens):
            return torch.from_numpy(np.stack([self._sequence(int(i)) for i in indices]))
        rows = self.array[indices]
        if isinstance(self.shape, Signal):
            rows = rows.astype(np.float32)
            return torch.from_numpy(rows / 127.5 - 1.0 if self.array.dtype == np.uint8 else rows)
        return torch.from_numpy(rows.astype(np.int64))

    def tokens(self, index: int) -> NDArray[np.int64]:
        """All tokens of one item, however long, without special ids."""
        assert self.offsets is not None
        return np.asarray(self.array[self.offsets[index] : self.offsets[index + 1]], dtype=np.int64)

    def _sequence(self, index: int) -> NDArray[np.int64]:
        assert isinstance(self.shape, Tokens)
        return padded(self.tokens(index), self.shape.length, begin=self._begin)


def padded(tokens: Integers, length: int, *, begin: bool) -> NDArray[np.int64]:
    """(length,) tokens cut to what fits, after BOS where they `begin` an item to be written, ended by EOS and PAD."""
    start = 1 if begin else 0
    tokens = tokens[: length - start - 1]
    row = np.full(length, PAD, dtype=np.int64)
    row[:start] = BOS
    row[start : start + len(tokens)] = tokens
    row[start + len(tokens)] = EOS
    return row


class Split:
    """Train, validation or test. `len` counts items; `units` what an epoch is made of: items, or windows of text."""

    def __init__(self, folder: Path, side: str, contents: DatasetContents) -> None:
        self.side = side
        self.content = Column(folder, f"{side}.content", contents.content, begin=True)
        self.condition = (
            None if contents.condition is None else Column(folder, f"{side}.condition", contents.condition, begin=False)
        )
        self.bytes: Integers = np.load(folder / f"{side}.bytes.npy", mmap_mode="r")
        self.digests: NDArray[np.bytes_] = np.load(folder / f"{side}.digests.npy", mmap_mode="r")
        self._epoch: tuple[int, int] | None = None
        self._order: Integers = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.bytes)

    @property
    def windowed(self) -> bool:
        """Unconditioned text is one long stream cut into windows; anything else is taken item by item."""
        return self.condition is None and self.content.offsets is not None

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        assert self.content.offsets is not None
        return np.asarray(np.diff(self.content.offsets) + 2, dtype=np.int64)  # BOS and EOS

    @cached_property
    def units(self) -> int:
        """Items, or windows, in one epoch."""
        if not self.windowed:
            return len(self)
        assert isinstance(self.content.shape, Tokens)
        return max(1, int(self._lengths.sum()) // (self.content.shape.length - 1))

    def items(self, indices: Integers) -> Batch:
        """Those items, each cut to the shape's length."""
        condition = None if self.condition is None else self.condition.rows(indices)
        return Batch(self.content.rows(indices), condition)

    def batch(self, size: int, seed: int, step: int) -> Batch:
        """The batch of that step: every epoch a new order, each unit once an epoch. Pure in (size, seed, step)."""
        if not len(self):
            raise DataError(f"The {self.side} split is empty.", do="add data or change `split`")
        if self.windowed:
            return Batch(torch.from_numpy(np.stack([self._window(i, seed) for i in range(step * size, (step + 1) * size)])))
        places = np.arange(step * size, (step + 1) * size)
        indices = np.empty(size, dtype=np.int64)
        for epoch in np.unique(places // self.units):
            at = places // self.units == epoch
            indices[at] = self._permutation(seed, int(epoch))[places[at] % self.units]
        return self.items(indices)

    def _permutation(self, seed: int, epoch: int) -> Integers:
        if self._epoch != (seed, epoch):
            self._epoch = (seed, epoch)
            self._order = np.random.default_rng([seed, epoch]).permutation(len(self))
            if self.windowed:
                self._ends = np.cumsum(self._lengths[self._order])
        return self._order

    def _window(self, unit: int, seed: int) -> NDArray[np.int64]:
        """Window `unit` of the stream BOS item EOS BOS item EOS ..., items in the epoch's order, wrapping at its end.

        The next window begins with the last token of this one, so that every token is predicted once an epoch.
        """
        assert isinstance(self.content.shape, Tokens)
        epoch, place = divmod(unit, self.units)
        order = self._permutation(seed, epoch)
        total, length = int(self._ends[-1]), self.content.shape.length
        at = place * (length - 1) + int(np.random.default_rng([seed, epoch, 1]).integers(total))
        pieces: list[NDArray[np.int64]] = []
        while length > 0:
            at %= total
            rank = int(np.searchsorted(self._ends, at, side="right"))
            stream = np.concatenate([[BOS], self.content.tokens(int(order[rank])), [EOS]])
            piece = stream[len(stream) - (int(self._ends[rank]) - at) :][:length]
            pieces.append(piece)
            at, length = at + len(piece), length - len(piece)
        return np.concatenate(pieces)


class Dataset:
    """A cleaned folder, opened."""

    def __init__(self, folder: Path) -> None:
        file = folder / "dataset.json"
        if not file.is_file():
            raise DataError("This is not a cleaned data set.", got=folder, do="run `genwright run` on its recipe first")
        self.folder = folder
        self.contents = DatasetContents.model_validate_json(file.read_text())
        self.train = Split(folder, "train", self.contents)
        self.validation = Split(folder, "validation", self.contents)
        self.test = Split(folder, "test", self.contents)

    def side(self, name: str) -> Split:
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]
