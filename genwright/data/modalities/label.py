"""Labels: one of the names seen in training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genwright.core.durable import write_json, write_text
from genwright.core.errors import DataError, Unreadable
from genwright.core.record import Record
from genwright.core.shapes import Label
from genwright.data.modalities.base import Modality, modalities

LONGEST = 200  # characters of a name


class LabelOptions(Record):
    most: int = Field(1000, ge=1, description="classes above which this is taken for a mistake")


@modalities.register
class Labels(Modality):
    """A value is the name of a class. Classes are the names seen in training, in alphabetical order; any other name has no
    array."""

    name = "label"
    Options: ClassVar[type[Record]] = LabelOptions
    options: LabelOptions
    suffix = ".txt"
    optional = True

    def __init__(self, options: Record) -> None:
        super().__init__(options)
        self._labels: list[str] = []
        self._index: dict[str, int] = {}

    def read(self, data: bytes) -> str:
        """The name without space around it. Raises Unreadable when it is empty, long, of several lines or not UTF-8."""
        try:
            name = data.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise Unreadable(f"a label that is not UTF-8: {error.reason}") from error
        if not name or len(name) > LONGEST or not name.isprintable():
            raise Unreadable(f"a label must be one line of 1 to {LONGEST} printable characters, this is {name[:40]!r}")
        return name

    def fit(self, values: Iterable[str]) -> None:
        names: set[str] = set()
        for value in values:
            names.add(value)
            if len(names) > self.options.most:
                raise DataError(
                    "There are too many different labels.",
                    got=f"more than {self.options.most:,}, e.g. {value!r}",
                    do="check where labels come from, make the column `text`, or raise `most` in the recipe",
                )
        self._set(sorted(names))

    def _set(self, labels: list[str]) -> None:
        self._labels, self._index = labels, {name: place for place, name in enumerate(labels)}

    @property
    def labels(self) -> list[str]:
        """Class names; the place of a name is its class."""
        return list(self._labels)

    @property
    def shape(self) -> Label:
        if not self._labels:
            raise DataError("There is no label among the training items.", do="give labels, or take the column out")
        return Label(classes=len(self._labels))

    @property
    def outline(self) -> Label:
        return Label(classes=2)

    def encode(self, value: str) -> NDArray[Any] | None:
        place = self._index.get(value)
        return None if place is None else np.asarray(place, dtype=np.int64)

    def decode(self, array: NDArray[Any]) -> str:
        """The name of a class. Raises DataError for a number that is none."""
        place = int(array)
        if not 0 <= place < len(self._labels):
            raise DataError("That is no class.", got=place, allowed=f"0 to {len(self._labels) - 1}")
        return self._labels[place]

    def write(self, value: str) -> bytes:
        return value.encode()

    def preview(self, values: Sequence[str], path: Path, captions: Sequence[str] = ()) -> Path:
        """A text file with a name a line, and after a tab what it was asked for."""
        path = path.with_suffix(".txt")
        asked = [f"\t{caption}" if caption else "" for caption in captions] or [""] * len(values)
        write_text(path, "".join(f"{value}{question}\n" for value, question in zip(values, asked, strict=True)))
        return path

    def save(self, folder: Path) -> None:
        write_json(folder / "labels.json", self._labels)

    def load(self, folder: Path) -> None:
        try:
            labels = json.loads((folder / "labels.json").read_text())
        except (OSError, ValueError) as error:
            raise DataError("Labels cannot be read.", got=f"{folder}: {error}", do="clean the data again") from error
        if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
            raise DataError("Labels must be a list of names.", got=folder / "labels.json", do="clean the data again")
        self._set(labels)

    @classmethod
    def fixture(cls, n: int, seed: int = 0) -> list[bytes]:
        """Names of colours, all different."""
        names = ("amber", "blue", "coral", "denim", "ecru", "fawn", "green", "henna")
        return [
            (names[i] if i < len(names) else f"{names[i % len(names)]} {i // len(names)}").encode()
            for i in range(seed, seed + n)
        ]
