"""Kept items into the arrays a Dataset reads: what encoding needs is learned from the training items alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from genwright.core.errors import Unreadable
from genwright.core.shapes import NO_LABEL, Label, Tokens
from genwright.data import shards
from genwright.data.arrays import ColumnWriter, Growing
from genwright.data.filters.base import Side
from genwright.data.modalities.base import Modality

SIDES: tuple[Side, ...] = ("test", "validation", "train")
"""In the order they are cleaned, so that of two alike it is the training item that goes."""

Role = Literal["content", "condition"]


def learn(folder: Path, role: Role, modality: Modality) -> None:
    """Fit a modality to the training items and save it under its role."""
    modality.fit(_training(folder, role, modality))
    (folder / role).mkdir()
    modality.save(folder / role)


def _training(folder: Path, role: Role, modality: Modality) -> Iterator[Any]:
    column = "data" if role == "content" else "condition"
    for row in shards.read(folder, "items", [column, "side"]):
        if row["side"] == "train" and (value := readable(modality, row[column])) is not None:
            yield value


def readable(modality: Modality, data: bytes | None) -> Any:
    """The value in a condition's bytes, or None when there are none, they cannot be read or are not worth keeping."""
    if data is None:
        return None
    try:
        value = modality.read(data)
    except Unreadable:
        return None  # counted among the unconditioned, or in quarantine with its reason
    return value if modality.keep(value) is None else None


class Writer:
    """Encodes the items of `folder` into its arrays, a row at a time, and counts what it wrote."""

    def __init__(self, folder: Path, content: Modality, condition: Modality | None) -> None:
        self.folder, self.content, self.condition = folder, content, condition
        self.bytes, self.tokens, self.labels = Counter[Side](), Counter[Side](), Counter[int]()
        self.licences, self.sources = Counter[str](), Counter[str]()
        self.unconditioned = 0
        self._columns: dict[str, ColumnWriter] = {}
        self._sizes = {side: Growing(folder / f"{side}.bytes.npy", np.int64) for side in SIDES}
        self._digests = {side: Growing(folder / f"{side}.digests.npy", "S64") for side in SIDES}

    def write(self) -> None:
        for row in shards.read(self.folder, "items"):
            self._add(row)
        files: list[ColumnWriter | Growing] = [*self._columns.values(), *self._sizes.values(), *self._digests.values()]
        for file in files:
            file.close()

    def _add(self, row: dict[str, Any]) -> None:
        side = cast(Side, row["side"])
        array = self.content.encode(self.content.read(row["data"]))
        self._append(f"{side}.content", self.content, array)
        if isinstance(self.content.shape, Tokens):
            self.tokens[side] += len(array)
        if self.condition is not None:
            self._append(f"{side}.condition", self.condition, self._conditioned(row["condition"]))
        size = len(row["data"])
        self._sizes[side].append(np.array([size]))
        self._digests[side].append(np.array([row["digest"].encode()]))
        self.bytes[side] += size
        self.licences[row["licence"]] += 1
        self.sources[row["source"]] += 1

    def _append(self, stem: str, modality: Modality, array: NDArray[Any]) -> None:
        if stem not in self._columns:
            self._columns[stem] = ColumnWriter(self.folder, stem, array, ragged=isinstance(modality.shape, Tokens))
        self._columns[stem].append(array)

    def _conditioned(self, data: bytes | None) -> NDArray[Any]:
        assert self.condition is not None
        value = readable(self.condition, data)
        array = self.condition.missing() if value is None else self.condition.encode(value)
        assert array is not None  # cleaning dropped the items for which it would be
        if isinstance(self.condition.shape, Label):
            self.labels[int(array)] += 1
            self.unconditioned += int(array) == NO_LABEL
        return array
