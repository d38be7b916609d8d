"""One raw item: its bytes, what it is conditioned on, and where it came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Item:
    """`name` is path-like and unique within a source; `condition` is what the condition's modality reads (for a label
    its text in UTF-8), None where the item has none; `collected_at` is ISO 8601 in UTC."""

    name: str
    data: bytes
    source: str
    licence: str
    collected_at: str
    condition: bytes | None = None

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of the content bytes: the identity of an item, whatever it is called."""
        return hashlib.sha256(self.data).hexdigest()
