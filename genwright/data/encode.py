"""Kept items into the arrays a data set reads: what encoding needs is learned from the training items alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genwright.core.errors import Unreadable
from genwright.core.shapes import Label, Shape, Tokens
from genwright.data import shards
from genwright.data.arrays import ColumnWriter, Growing
from genwright.data.item import Item
from genwright.data.modalities.base import Modality
from genwright.data.records import ColumnContents, Side

SIDES: tuple[Side, ...] = ("test", "validation", "train")
"""In the order they are cleaned, so that of two alike it is the training item that goes."""

COLUMNS = "columns"
"""Folder of what each column's modality learned."""


@dataclass(frozen=True)
class Recorded:
    """A column that items bring: how it is read, and whether items that lack it are kept."""

    modality: Modality
    optional: bool = False


def learn(folder: Path, name: str, modality: Modality) -> None:
    """Fit a column's modality to the training items and save it under `columns/NAME/`."""
    modality.fit(_training(folder, name, modality))
    place = folder / COLUMNS / name
    place.mkdir(parents=True)
    modality.save(place)


def _training(folder: Path, name: str, modality: Modality) -> Iterator[Any]:
    """The training values, or where there are more bytes than it learns from, one of every so many by the content's hash."""
    column = shards.COLUMN + name
    every = (
        1 if modality.learns_from is None else max(1, math.ceil(shards.size(folder, "items", column) / modality.learns_from))
    )
    for row in shards.read(folder, "items", [column, "side", "digest"]):
        chosen = row["side"] == "train" and int(row["digest"][:8], 16) % every == 0
        if chosen and (value := readable(modality, row[column])) is not None:
            yield value


def readable(modality: Modality, data: bytes | None) -> Any:
    """The value in a column's bytes, or None when there are none, they cannot be read or are not worth keeping."""
    if data is None:
        return None
    try:
        value = modality.read(data)
    except Unreadable:
        return None  # counted as missing, or in quarantine with its reason
    return value if modality.keep(value) is None else None


@dataclass
class _Counts:
    missing: int = 0
    tokens: Counter[Side] = field(default_factory=Counter)
    labels: Counter[int] = field(default_factory=Counter)


class Writer:
    """Encodes the items of `folder` into its arrays, some rows at a time, and counts what it wrote. The first of `columns` is
    the content."""

    def __init__(self, folder: Path, columns: Mapping[str, Recorded]) -> None:
        self.folder, self.columns = folder, columns
        self.bytes, self.licences, self.sources = Counter[Side](), Counter[str](), Counter[str]()
        self._counts = {name: _Counts() for name in columns}
        self._files: dict[tuple[Side, str], ColumnWriter] = {}
        self._sizes = {side: Growing(folder / f"{side}.bytes.npy", np.int64) for side in SIDES}
        self._digests = {side: Growing(folder / f"{side}.digests.npy", "S64", (len(columns),)) for side in SIDES}

    def write(self) -> None:
        for rows in shards.batches(self.folder, "items"):
            self._add([(cast(Side, row["side"]), shards.item(row)) for row in rows])
        files: list[ColumnWriter | Growing] = [*self._files.values(), *self._sizes.values(), *self._digests.values()]
        for file in files:
            file.close()

    def contents(self) -> dict[str, ColumnContents]:
        """What is known of each column, after writing."""
        return {name: self._column(name, column) for name, column in self.columns.items()}

    def _column(self, name: str, column: Recorded) -> ColumnContents:
        shape, counts = column.modality.shape, self._counts[name]
        names = None
        if isinstance(shape, Label):
            names = [str(column.modality.decode(np.asarray(place))) for place in range(shape.classes)]
        return ColumnContents(
            part=column.modality.part,
            shape=shape,
            optional=column.optional,
            missing=counts.missing,
            tokens={side: counts.tokens[side] for side in SIDES[::-1]} if isinstance(shape, Tokens) else None,
            labels=names,
            label_counts=None if names is None else {name: counts.labels[place] for place, name in enumerate(names)},
        )

    def _add(self, some: Sequence[tuple[Side, Item]]) -> None:
        for name, column in self.columns.items():
            values = [readable(column.modality, item.columns.get(name)) for _, item in some]
            shape = column.modality.shape
            arrays = iter(column.modality.encode_all([value for value in values if value is not None]))
            for (side, _), value in zip(some, values, strict=True):
                self._append(side, name, shape, None if value is None else next(arrays))
        for side, item in some:
            self._sizes[side].append(np.array([len(item.data)]))
            self._digests[side].append(np.array([[item.digests.get(name, "").encode() for name in self.columns]]))
            self.bytes[side] += len(item.data)
            self.licences[item.licence] += 1
            self.sources[item.source] += 1

    def _append(self, side: Side, name: str, shape: Shape, array: NDArray[Any] | None) -> None:
        counts = self._counts[name]
        if (side, name) not in self._files:
            self._files[side, name] = ColumnWriter(self.folder, f"{side}.{name}", shape)
        self._files[side, name].append(array)
        if array is None:
            counts.missing += 1
        elif isinstance(shape, Tokens):
            counts.tokens[side] += len(array)
        elif isinstance(shape, Label):
            counts.labels[int(array)] += 1
