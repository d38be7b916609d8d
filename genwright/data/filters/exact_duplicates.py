"""Items that are there already."""

from __future__ import annotations

from typing import ClassVar

from genwright.core.record import Record
from genwright.data.filters.base import Entry, Filter, filters
from genwright.data.modalities.base import Modality


class ExactDuplicatesOptions(Record):
    pass


@filters.register
class ExactDuplicates(Filter):
    """Keeps the first of items that are equal in content, also where their files differ, and in everything else they have.
    16 bytes an item are remembered."""

    name = "exact_duplicates"
    Options: ClassVar[type[Record]] = ExactDuplicatesOptions

    def __init__(self, options: Record) -> None:
        super().__init__(options)
        self._seen: set[bytes] = set()

    @classmethod
    def applies(cls, modality: Modality) -> str | None:
        return None

    def reason(self, entry: Entry) -> str | None:
        if entry.whole in self._seen:
            return "the same as an earlier item"
        self._seen.add(entry.whole)
        return None
