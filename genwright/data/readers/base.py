"""What a form of data must offer: how it is recognised, and the items in it. One file each in `readers/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from genwright.core.plugins import Plugins
from genwright.core.record import Record
from genwright.data.tree import Tree


class Row(NamedTuple):
    """An item as a form has it: a name, unique in the tree; the bytes of its columns, the content first; when the file it is
    from was written; the group that it shares a side of the split with, and its own licence, "" for none."""

    name: str
    columns: Mapping[str, bytes]
    written: str
    group: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Claim:
    """That a form recognises what lies there: `why`, in words for a person; the `kind` of its content; the `options` with
    which to read it. The claim of the highest `rank` is taken."""

    why: str
    kind: str
    rank: int
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Reader(ABC):
    """Reads the files of a tree in one form. `suffixes` are the endings that the content's modality reads."""

    name: ClassVar[str]
    Options: ClassVar[type[Record]]

    def __init__(self, options: Record, tree: Tree, suffixes: frozenset[str]) -> None:
        self.options, self.tree, self.suffixes = options, tree, suffixes

    @classmethod
    @abstractmethod
    def recognise(cls, tree: Tree) -> Claim | None:
        """None, or that this form lies there. Reads little."""

    @abstractmethod
    def files(self) -> Iterator[Path]:
        """The files whose bytes bear on the rows, in a stable order."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """The items, streamed in a stable order. What cannot be read is noted in `tree.skipped`. Raises DataError where
        nothing can."""


readers: Plugins[Reader] = Plugins("readers", "genwright.data.readers")
