"""Which side of the split an item is on: a function of the item alone."""

from __future__ import annotations

from pydantic import Field

from genwright.core.record import Record
from genwright.data.records import Side


class Splitting(Record):
    """Shares of the items held out, by content hash: an item never moves when data grows."""

    validation: float = Field(0.1, gt=0, lt=0.5)
    test: float = Field(0.1, gt=0, lt=0.5)

    def side(self, digest: str) -> Side:
        """Where the content hash (hex SHA-256) puts an item."""
        place = int(digest[:16], 16) / 2**64
        if place < self.test:
            return "test"
        return "validation" if place < self.test + self.validation else "train"
