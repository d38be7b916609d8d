"""Files and pictures that are too small or too large."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from genwright.core.record import Record
from genwright.data.filters.base import Entry, Filter, filters
from genwright.data.modalities.base import Modality


class SizeOptions(Record):
    min_bytes: int = Field(1, ge=0, description="of the file")
    max_bytes: int | None = Field(None, gt=0, description="of the file")
    min_side: int = Field(1, ge=1, description="pixels of a picture's shorter side")
    max_side: int | None = Field(None, ge=1, description="pixels of a picture's longer side")


@filters.register
class Size(Filter):
    """Keeps files within bounds in bytes, and pictures within bounds in pixels."""

    name = "size"
    Options: ClassVar[type[Record]] = SizeOptions
    options: SizeOptions

    @classmethod
    def applies(cls, modality: Modality) -> str | None:
        return None

    def reason(self, entry: Entry) -> str | None:
        bounds, length = self.options, len(entry.item.data)
        if length < bounds.min_bytes:
            return f"{length:,} bytes, fewer than {bounds.min_bytes:,}"
        if bounds.max_bytes is not None and length > bounds.max_bytes:
            return f"{length:,} bytes, more than {bounds.max_bytes:,}"
        if not isinstance(entry.value, np.ndarray):
            return None
        height, width = entry.value.shape[:2]
        if min(height, width) < bounds.min_side:
            return f"{width} x {height} pixels, the shorter side less than {bounds.min_side}"
        if bounds.max_side is not None and max(height, width) > bounds.max_side:
            return f"{width} x {height} pixels, the longer side more than {bounds.max_side}"
        return None
