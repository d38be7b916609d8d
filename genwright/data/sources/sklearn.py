"""Data sets that come inside scikit-learn."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import ClassVar, Literal

from genwright.core.record import Record
from genwright.data.item import Item
from genwright.data.sources.base import Source, sources

DIGITS_RELEASED = "1998-07-01T00:00:00+00:00"
"""Day the UCI repository published the pictures (doi.org/10.24432/C50P49)."""


class SklearnOptions(Record):
    dataset: Literal["digits"] = "digits"


@sources.register
class Sklearn(Source):
    """`digits`: 1,797 handwritten digits as grey PNGs of 8x8, the 17 levels spread over 0..255, each with its label."""

    name = "sklearn"
    Options: ClassVar[type[Record]] = SklearnOptions
    options: SklearnOptions

    def state(self) -> str:
        digest = hashlib.sha256()
        for item in self.items():
            digest.update(b"\0".join(item.columns.values()) + b"\n")
        return digest.hexdigest()

    def items(self) -> Iterator[Item]:
        from PIL import Image
        from sklearn.datasets import load_digits

        digits = load_digits()
        levels = (digits.images * 255.0 / 16.0).round().astype("uint8")
        for index, (picture, label) in enumerate(zip(levels, digits.target, strict=True)):
            png = io.BytesIO()
            Image.fromarray(picture).save(png, format="PNG")
            yield Item(
                name=f"{label}/{index:04d}.png",
                columns={"content": png.getvalue(), "label": str(label).encode()},
                source="sklearn:digits",
                licence="BSD-3-Clause",
                collected_at=DIGITS_RELEASED,
            )
