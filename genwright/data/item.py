"""One raw item: the bytes of its columns, and where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from genwright.core.record import Part

C = TypeVar("C")


@dataclass(frozen=True)
class Item:
    """`name` is path-like and unique within a source. `columns` holds the bytes of each column it has, as the column's
    modality reads them (a label as its text in UTF-8); the first is the content, by which the item is known.
    `collected_at` is ISO 8601 in UTC. Items of one `group` lie on one side of the split;
    `given_side` is the one that the source says: train, validation, test, or `split.LEARN`."""

    name: str
    columns: Mapping[str, bytes]
    source: str
    licence: str
    collected_at: str
    group: str = ""
    given_side: str = ""

    @property
    def place(self) -> str:
        """What decides its side of the split."""
        return place(self.digest, self.group)

    @property
    def data(self) -> bytes:
        """The bytes of the content."""
        return next(iter(self.columns.values()))

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of the content bytes."""
        return sha256(self.data)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Hex SHA-256 of every column it has: by any of them it is traced and forgotten."""
        return {name: sha256(data) for name, data in self.columns.items()}

    def assigned(self, columns: Mapping[str, Part]) -> Item:
        """The item with a source's names for its columns replaced by a recipe's: the first is the content; another keeps its
        name where the recipe has that, else it becomes the only column still free that reads its kind (a source's `label`
        one of kind label, its `caption` one that reads texts), else it is left out. They come in the recipe's order."""
        wanted = list(columns)
        found = {wanted[0]: self.data}
        others = dict(list(self.columns.items())[1:])
        found |= {name: data for name, data in others.items() if name in wanted[1:]}
        for name, data in others.items():
            free = [column for column in wanted[1:] if column not in found]
            if name not in wanted and (column := _only(name, free, columns)) is not None:
                found[column] = data
        ordered = {name: found[name] for name in wanted if name in found}  # as they come back from disk
        return replace(self, columns=ordered)


def place(digest: str, group: str) -> str:
    """Hex SHA-256 of what decides an item's side of the split: its group where it has one, else its content."""
    return sha256(group.encode()) if group else digest


def content_first(columns: Mapping[str, C], content: str) -> dict[str, C]:
    """Columns by name, the content first: the order in which an item has them."""
    return {content: columns[content], **{name: columns[name] for name in sorted(columns) if name != content}}


def sha256(data: bytes) -> str:
    """Hex SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def _only(role: str, free: Sequence[str], columns: Mapping[str, Part]) -> str | None:
    """The only free column of the kind a source's column is of."""
    labels = [column for column in free if columns[column].kind == "label"]
    others = [column for column in free if columns[column].kind != "label"]
    kind = {"label": labels, "caption": others}.get(role, list(free))
    return kind[0] if len(kind) == 1 else None
