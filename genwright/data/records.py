"""What is known of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from genwright.core import stored
from genwright.core.record import Part, Record
from genwright.core.shapes import Label, Shape
from genwright.core.stored import Stored

Side = Literal["train", "validation", "test"]


class ColumnContents(Record):
    """One recorded column of a data set."""

    part: Part
    shape: Shape
    optional: bool = Field(False, description="whether items that lack it are kept")
    missing: int = Field(0, description="kept items that lack it")
    tokens: dict[Side, int] | None = None
    labels: list[str] | None = Field(None, description="class names in order, where it is a label")
    label_counts: dict[str, int] | None = None


CONTENTS = "dataset.json"


class DatasetContents(Stored):
    """`dataset.json` of a cleaned folder. Counts reconcile: collected = kept (sum of splits) + dropped (by reason)."""

    form = "dataset"
    signed = False  # equal data have equal hashes

    content: str = Field(description="the column that an item is known by")
    columns: dict[str, ColumnContents]
    collected: int
    splits: dict[Side, int]
    dropped: dict[str, int] = Field(description="items by the filter (or step) that dropped them")
    bytes: dict[Side, int] = Field(description="raw bytes of the kept items' content")
    licences: dict[str, int] = Field(description="kept items by licence")
    sources: dict[str, int] = Field(description="kept items by source")

    @property
    def names(self) -> list[str]:
        """The columns, the content first."""
        return [self.content, *sorted(set(self.columns) - {self.content})]

    @property
    def kind(self) -> ColumnContents:
        """The content."""
        return self.columns[self.content]

    @property
    def label(self) -> str | None:
        """The only column of labels; None where there is none, or more than one."""
        labels = [name for name, column in self.columns.items() if isinstance(column.shape, Label)]
        return labels[0] if len(labels) == 1 else None


def contents_of(folder: Path) -> DatasetContents:
    """What a cleaned folder holds. Raises FormatError where its record cannot be read."""
    return stored.read(DatasetContents, folder / CONTENTS)


class DatasetVersion(Record):
    """A cleaned, split, encoded data set: what it holds and the DVC hash that identifies its bytes."""

    recipe: str
    digest: str = Field(description="DVC hash of the cleaned folder, e.g. '3f2a....dir'")
    path: str = Field(description="folder with the shards and arrays, relative to the workspace")
    contents: DatasetContents
