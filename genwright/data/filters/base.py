"""What a cleaning rule must offer. One file each in `filters/`."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from genwright.core.plugins import Plugins
from genwright.core.record import Record
from genwright.data.item import Item
from genwright.data.modalities.base import Modality
from genwright.data.records import Side

LIKE = "nearly the same as "
"""What the reason of a rule that takes an item for another begins with; the name of the other follows."""


@dataclass(frozen=True)
class Entry:
    """An item on its way through cleaning. `side` is where its content hash puts it. `value` is read on first use and
    raises Unreadable where the bytes are not what they claim to be."""

    item: Item
    side: Side
    modality: Modality  # of the content
    label: bytes = b""  # what its labels say; two of different labels are different things, however alike
    given: tuple[str, ...] = ()  # the columns that items have beside the content and labels

    @cached_property
    def value(self) -> Any:
        return self.modality.read(self.item.data)

    @cached_property
    def meaning(self) -> bytes:
        """16 bytes that equal contents share, however their files differ (a re-encoded picture, other line ends)."""
        value = self.value
        plain = value.tobytes() + repr(value.shape).encode() if isinstance(value, np.ndarray) else self.modality.write(value)
        return hashlib.blake2b(plain, digest_size=16).digest()

    @cached_property
    def whole(self) -> bytes:
        """16 bytes that items share which are equal in content and in all else they have: one text with two translations is
        two items."""
        told = hashlib.blake2b(self.meaning, digest_size=16)
        for name, data in list(self.item.columns.items())[1:]:
            told.update(f"\0{name}\0{len(data)}\0".encode() + data)
        return told.digest()


class Filter(ABC):
    """A cleaning rule. One instance sees all entries of one cleaning, test items first, then validation, then train,
    so that of two alike it is the training item that goes; it may remember what it saw."""

    name: ClassVar[str]
    Options: ClassVar[type[Record]]

    def __init__(self, options: Record) -> None:
        self.options = options

    @classmethod
    @abstractmethod
    def applies(cls, modality: Modality) -> str | None:
        """None, or the reason why the rule does not suit this kind of content."""

    @abstractmethod
    def reason(self, entry: Entry) -> str | None:
        """None to keep the entry, or why it goes to quarantine, in words for a person. May raise Unreadable."""


def example(modality: Modality) -> Any:
    """A made value of this kind of content: of the type a rule will meet."""
    return modality.read(type(modality).fixture(1)[0])


filters: Plugins[Filter] = Plugins("filters", "genwright.data.filters")
