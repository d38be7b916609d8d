"""Batches of one side of a data set, as one model sees them: a pure function of (seed, step)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.batch import Batch, Given
from genwright.core.draws import Draws
from genwright.core.errors import DataError
from genwright.core.shapes import BOS, EOS, PAD, Shape, Signature, Tokens
from genwright.data.columns import Column, Integers, Part

HELD_OUT = 2**40
"""The seed of what is drawn for a held-out item: the same every time."""

Moment = tuple[int, int]
"""Seed and step."""


class Made(Protocol):
    """Columns that come about from others: what a derivation gives, by name."""

    shapes: dict[str, Shape]
    of: Sequence[str]
    drawn: bool

    def derive(self, of: Sequence[Given], draws: Draws) -> dict[str, Given]: ...

    def measured(self, of: Sequence[Given], draws: Draws) -> dict[str, Given]: ...


class Table:
    """All columns of some rows, recorded ones read and derived ones made, each once."""

    def __init__(self, side: Side, rows: Integers, moment: Moment) -> None:
        self._side, self._rows, self._moment = side, rows, moment
        self._known: dict[str, Given] = {}

    def __getitem__(self, name: str) -> Given:
        if name not in self._known:
            if name in self._side.columns:
                self._known[name] = self._side.columns[name].given(self._rows)
            else:
                made = self._side.made[name]
                seed, step = self._moment
                keys = ((seed, step, int(row), crc32(min(made.shapes).encode())) for row in self._rows)
                derive = made.measured if seed == HELD_OUT else made.derive
                self._known |= derive([self[of] for of in made.of], Draws(keys))
        return self._known[name]


class Side:
    """Train, validation or test, of one model. `len` counts items; `units` what an epoch is made of: items, or windows of
    text. `columns` are on disk, `made` come about from them; `bytes` (n,) is the size of each item's content, `digests`
    (n, columns) the hashes of what it was recorded from."""

    def __init__(
        self,
        name: str,
        columns: Mapping[str, Column],
        made: Mapping[str, Made],
        makes: str | None,
        signature: Signature,
        sizes: Integers,
        digests: NDArray[np.bytes_],
    ) -> None:
        self.name, self.columns, self.made, self.makes, self.signature = name, columns, made, makes, signature
        self.bytes, self.digests = sizes, digests
        self._epoch: tuple[int, int] | None = None
        self._order: Integers = np.empty(0, dtype=np.int64)
        self._there: dict[str, Integers] = {}

    def __len__(self) -> int:
        return len(self.bytes)

    def part(self, share: float) -> Side:
        """A share of the items, as though there were no others: random ones, of which fewer are the beginning."""
        return self.only(np.sort(self.subset(max(1, round(share * len(self))))))

    def only(self, rows: Integers) -> Side:
        """These items, as though there were no others."""
        columns = {name: Part(column, rows) for name, column in self.columns.items()}
        return Side(self.name, columns, self.made, self.makes, self.signature, self.bytes[rows], self.digests[rows])

    @property
    def texts(self) -> Column | None:
        """The column on disk that is made, where it is a text."""
        column = None if self.makes is None else self.columns.get(self.makes)
        return column if column is not None and column.offsets is not None else None

    @property
    def streamed(self) -> bool:
        """Texts that nothing is given with are one long stream cut into windows; other texts are cut one by one."""
        return self.texts is not None and not self.signature.given

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        assert self.texts is not None
        assert self.texts.offsets is not None
        return np.asarray(np.diff(self.texts.offsets) + 2, dtype=np.int64)  # BOS and EOS

    @cached_property
    def _windows(self) -> NDArray[np.int64]:
        """How many windows each text is cut into; the next begins with the last token of the one before."""
        return np.maximum(1, -(-(self._lengths - 1) // (self._length - 1)))

    @property
    def _length(self) -> int:
        assert isinstance(self.signature.makes, Tokens)
        return self.signature.makes.length

    @cached_property
    def units(self) -> int:
        """Items, or windows, in one epoch."""
        if self.streamed:
            return max(1, int(self._lengths.sum()) // (self._length - 1))
        return len(self) if self.texts is None else int(self._windows.sum())

    def subset(self, limit: int) -> Integers:
        """Up to `limit` rows in the order of their contents' hashes, which is a random one however the items are stored. A
        smaller subset is the beginning of a larger one, and data that grows changes few of its rows."""
        return self._shuffled[:limit]

    @cached_property
    def _shuffled(self) -> Integers:
        return np.argsort(np.ascontiguousarray(self.digests[:, 0]), kind="stable")

    def contents(self, rows: Integers) -> Tensor:
        """What is made, of these rows: Signal (n, channels, *axes), Tokens (n, length) cut to it."""
        assert self.makes is not None
        return self.table(rows)[self.makes].value

    def given(self, rows: Integers) -> dict[str, Given]:
        """What these rows are given; what is drawn is drawn from the row, the same every time."""
        table = self.table(rows)
        return {name: table[name] for name in self.signature.given}

    def items(self, rows: Integers) -> Batch:
        """These rows, each text cut to the shape's length; what is drawn is the same every time."""
        table = self.table(rows)
        content = None if self.makes is None else table[self.makes].value
        return Batch(content, {name: table[name] for name in self.signature.given})

    def batch(self, size: int, seed: int, step: int, sought: tuple[str, float] | None = None) -> Batch:
        """The batch of that step: every epoch a new order, each unit once an epoch. `sought` is a column, and the share of the
        rows that has it at least: for as many others as it takes, rows come up once more. Pure in its arguments."""
        if not len(self):
            raise DataError(f"The {self.name} split is empty.", do="add data or change `split`")
        places = np.arange(step * size, (step + 1) * size)
        if self.streamed:
            return Batch(torch.from_numpy(np.stack([self._streamed(int(place), seed) for place in places])))
        units: Integers = np.empty(size, dtype=np.int64)
        for epoch in np.unique(places // self.units):
            at = places // self.units == epoch
            units[at] = self._permutation(seed, int(epoch))[places[at] % self.units]
        if self.texts is None:
            units = units if sought is None else self._with(units, *sought, random=np.random.default_rng([seed, step]))
            table = self.table(units, (seed, step))
            content = None if self.makes is None else table[self.makes].value
        else:
            ends = np.cumsum(self._windows)
            rows = np.searchsorted(ends, units, side="right")
            table = self.table(rows, (seed, step))
            cut = zip(rows, units - (ends - self._windows)[rows], places // self.units, strict=True)
            content = torch.from_numpy(np.stack([self._window(int(row), int(n), seed, int(e)) for row, n, e in cut]))
        return Batch(content, {name: table[name] for name in self.signature.given})

    def _with(self, rows: Integers, column: str, share: float, random: np.random.Generator) -> Integers:
        """Rows, of which a share has a column: some that lack it become random ones that have it."""
        there = self.holders(column)
        lacking = np.flatnonzero(~np.isin(rows, there))
        more = min(round(share * len(rows)) - (len(rows) - len(lacking)), len(lacking))
        if more <= 0 or not len(there):
            return rows
        found = rows.copy()
        found[lacking[:more]] = random.choice(there, more)
        return found

    def holders(self, column: str) -> Integers:
        """The rows that have a column on disk."""
        if column not in self._there:
            every = np.arange(len(self))
            self._there[column] = every[self.columns[column].present(every)] if column in self.columns else every
        return self._there[column]

    def table(self, rows: Integers, moment: Moment = (HELD_OUT, 0)) -> Table:
        """Every column of these rows."""
        return Table(self, rows, moment)

    def _permutation(self, seed: int, epoch: int) -> Integers:
        if self._epoch != (seed, epoch):
            self._epoch = (seed, epoch)
            self._order = np.random.default_rng([seed, epoch]).permutation(len(self) if self.streamed else self.units)
            if self.streamed:
                self._ends = np.cumsum(self._lengths[self._order])
        return self._order

    def _stream(self, row: int) -> NDArray[np.int64]:
        assert self.texts is not None
        return np.concatenate([[BOS], self.texts.tokens(row), [EOS]])

    def _window(self, row: int, number: int, seed: int, epoch: int) -> NDArray[np.int64]:
        """Window `number` of a text. Where it has several they begin elsewhere every epoch, by as much as the last one has
        room, and all of them together predict each token once."""
        stream, windows = self._stream(row), int(self._windows[row])
        if windows == 1:
            return _filled(stream, self._length)
        slack = windows * (self._length - 1) - (len(stream) - 1)
        start = number * (self._length - 1) - int(np.random.default_rng([seed, epoch, row]).integers(slack + 1))
        return _filled(stream[max(0, start) : start + self._length], self._length)

    def _streamed(self, unit: int, seed: int) -> NDArray[np.int64]:
        """Window `unit` of the stream BOS item EOS BOS item EOS ..., items in the epoch's order, wrapping at its end.

        The next window begins with the last token of this one, so that every token is predicted once an epoch.
        """
        epoch, place = divmod(unit, self.units)
        order = self._permutation(seed, epoch)
        total, length = int(self._ends[-1]), self._length
        at = place * (length - 1) + int(np.random.default_rng([seed, epoch, 1]).integers(total))
        pieces: list[NDArray[np.int64]] = []
        while length > 0:
            at %= total
            rank = int(np.searchsorted(self._ends, at, side="right"))
            stream = self._stream(int(order[rank]))
            piece = stream[len(stream) - (int(self._ends[rank]) - at) :][:length]
            pieces.append(piece)
            at, length = at + len(piece), length - len(piece)
        return np.concatenate(pieces)


def _filled(tokens: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """(length,) tokens followed by PAD."""
    row = np.full(length, PAD, dtype=np.int64)
    row[: len(tokens)] = tokens
    return row
