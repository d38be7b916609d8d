"""Texts of noise or repetition, and blank pictures."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genwright.core.record import Record
from genwright.data.filters.base import Entry, Filter, example, filters
from genwright.data.modalities.base import Modality

FEWEST_LINES = 10  # below, repetition may well be meant


class QualityOptions(Record):
    printable: float = Field(0.98, ge=0, le=1, description="texts: share of characters that are printable or white space")
    repeated: float = Field(0.5, ge=0, le=1, description="texts: share of characters in lines that stood there before, at most")
    contrast: float = Field(2.0, ge=0, description="pictures: standard deviation of the levels, of 255")


@filters.register
class Quality(Filter):
    """Drops texts with many unprintable characters or mostly repeated lines (Rae et al. 2021), and blank pictures."""

    name = "quality"
    Options: ClassVar[type[Record]] = QualityOptions
    options: QualityOptions

    @classmethod
    def applies(cls, modality: Modality) -> str | None:
        return None if isinstance(example(modality), str | np.ndarray) else "judges texts and pictures"

    def reason(self, entry: Entry) -> str | None:
        return self._text(entry.value) if isinstance(entry.value, str) else self._picture(entry.value)

    def _text(self, text: str) -> str | None:
        printable = sum(c.isprintable() or c.isspace() for c in text) / max(1, len(text))
        if printable < self.options.printable:
            return f"{printable:.0%} of its characters are printable"
        lines = [line for line in map(str.strip, text.splitlines()) if line]
        if len(lines) < FEWEST_LINES:
            return None
        repeated = 1 - sum(map(len, set(lines))) / sum(map(len, lines))
        return f"{repeated:.0%} of it are lines that stood there before" if repeated > self.options.repeated else None

    def _picture(self, picture: NDArray[Any]) -> str | None:
        deviation = float(picture.reshape(-1, *picture.shape[2:]).std(axis=0).max())
        return f"blank: its levels deviate by {deviation:.1f} of 255" if deviation < self.options.contrast else None
