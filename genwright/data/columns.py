"""Columns of one side of a data set, read through memory maps: as recorded, as kept after deriving, or drawn anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.shapes import BOS, EOS, PAD, Shape, Signal, Tokens

Integers = NDArray[np.integer[Any]]


class Column:
    """A column on disk, row i as the models see it. `begin`: sequences are to be written, so they begin with BOS.

    Files: `STEM.npy`: Signal (n, channels, *axes) uint8 or float32; Label (n,) int64; Tokens: all items' tokens end to end
    (no BOS, EOS, PAD), with `STEM.offsets.npy` (n + 1,) int64. `STEM.present.npy` (n,) bool where any row lacks it.
    """

    def __init__(self, folder: Path, stem: str, shape: Shape, *, begin: bool = False) -> None:
        self.shape, self._begin = shape, begin
        self.array = np.load(folder / f"{stem}.npy", mmap_mode="r")
        self.offsets = np.load(folder / f"{stem}.offsets.npy", mmap_mode="r") if isinstance(shape, Tokens) else None
        there = folder / f"{stem}.present.npy"
        self._present: NDArray[np.bool_] | None = np.load(there) if there.is_file() else None

    def __len__(self) -> int:
        return len(self.array) if self.offsets is None else len(self.offsets) - 1

    def present(self, indices: Integers) -> NDArray[np.bool_]:
        """Which of these rows have the column."""
        return np.ones(len(indices), dtype=np.bool_) if self._present is None else self._present[indices]

    def rows(self, indices: Integers) -> Tensor:
        """Rows as a tensor, in the order asked for; zeros or PAD where a row lacks the column."""
        if isinstance(self.shape, Tokens):
            return torch.from_numpy(np.stack([self._sequence(int(i)) for i in indices]))
        values = numbers(self.shape, self.array[indices])
        if self._present is not None and isinstance(self.shape, Signal):
            values[torch.from_numpy(~self._present[indices])] = 0.0
        return values

    def given(self, indices: Integers) -> Given:
        return Given(self.rows(indices), torch.from_numpy(self.present(indices)))

    def tokens(self, index: int) -> NDArray[np.int64]:
        """All tokens of one item, however long, without special ids."""
        assert self.offsets is not None
        return np.asarray(self.array[self.offsets[index] : self.offsets[index + 1]], dtype=np.int64)

    def _sequence(self, index: int) -> NDArray[np.int64]:
        assert isinstance(self.shape, Tokens)
        if self._present is not None and not self._present[index]:
            return np.full(self.shape.length, PAD, dtype=np.int64)
        return padded(self.tokens(index), self.shape.length, begin=self._begin)


class Part(Column):
    """Some rows of a column, as though there were no others."""

    def __init__(self, column: Column, chosen: Integers) -> None:
        self.shape, self._whole, self._chosen = column.shape, column, chosen
        self.offsets = None if column.offsets is None else _lengthened(column.offsets, chosen)

    def __len__(self) -> int:
        return len(self._chosen)

    def present(self, indices: Integers) -> NDArray[np.bool_]:
        return self._whole.present(self._chosen[indices])

    def rows(self, indices: Integers) -> Tensor:
        return self._whole.rows(self._chosen[indices])

    def tokens(self, index: int) -> NDArray[np.int64]:
        return self._whole.tokens(int(self._chosen[index]))


def _lengthened(offsets: Integers, chosen: Integers) -> Integers:
    """(n + 1,) where the chosen texts would begin and end, if they lay end to end."""
    return np.concatenate([[0], np.cumsum(np.diff(offsets)[chosen])])


def padded(tokens: Integers, length: int, *, begin: bool) -> NDArray[np.int64]:
    """(length,) tokens cut to what fits, after BOS where they `begin` an item to be written, ended by EOS and PAD."""
    start = 1 if begin else 0
    tokens = tokens[: length - start - 1]
    row = np.full(length, PAD, dtype=np.int64)
    row[:start] = BOS
    row[start : start + len(tokens)] = tokens
    row[start + len(tokens)] = EOS
    return row


def numbers(shape: Shape, array: NDArray[Any]) -> Tensor:
    """An array of a modality as models see it: Signal float32, of which uint8 stands for [-1, 1]; else int64."""
    if not isinstance(shape, Signal):
        return torch.from_numpy(array.astype(np.int64))
    values = torch.from_numpy(array.astype(np.float32))
    return values / 127.5 - 1.0 if array.dtype == np.uint8 else values


def row_of(shape: Shape, array: NDArray[Any]) -> Tensor:
    """One value as a row of a column that is given: a text cut to what fits, ended by EOS and PAD."""
    if isinstance(shape, Tokens):
        return torch.from_numpy(padded(array.astype(np.int64), shape.length, begin=False))
    return numbers(shape, array)
