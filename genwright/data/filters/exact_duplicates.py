"""Items whose content is there already."""

from __future__ import annotations

from typing import ClassVar

from genwright.core.record import Record
from genwright.data.filters.base import Entry, Filter, filters
from genwright.data.modalities.base import Modality


class ExactDuplicatesOptions(Record):
    pass


@filters.register
class ExactDuplicates(Filter):
    """Keeps the first of items with equal content, also where their files differ. 16 bytes an item are remembered."""

    name = "exact_duplicates"
    Options: ClassVar[type[Record]] = ExactDuplicatesOptions

    def __init__(self, options: Record) -> None:
        super().__init__(options)
        self._seen: set[bytes] = set()

    @classmethod
    def applies(cls, modality: Modality) -> str | None:
        return None

    def reason(self, entry: Entry) -> str | None:
        if entry.meaning in self._seen:
            return "the same content as an earlier item"
        self._seen.add(entry.meaning)
        return None
