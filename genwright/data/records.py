"""What is known of a data set."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genwright.core.record import Part, Record
from genwright.core.shapes import Shape


class DatasetContents(Record):
    """`dataset.json` of a cleaned folder. Counts reconcile: collected = kept (sum of splits) + dropped (by reason)."""

    content: Shape
    condition: Shape | None
    content_part: Part
    condition_part: Part | None
    collected: int
    splits: dict[Literal["train", "validation", "test"], int]
    dropped: dict[str, int] = Field(description="items by the filter (or step) that dropped them")
    unconditioned: int = Field(0, description="kept items without a condition")
    bytes: dict[Literal["train", "validation", "test"], int] = Field(description="raw bytes of the kept items")
    tokens: dict[Literal["train", "validation", "test"], int] | None = None
    licences: dict[str, int] = Field(description="kept items by licence")
    sources: dict[str, int] = Field(description="kept items by source")
    labels: list[str] | None = Field(None, description="class names in order, where the condition is a label")
    label_counts: dict[str, int] | None = None


class DatasetVersion(Record):
    """A cleaned, split, encoded data set: what it holds and the DVC hash that identifies its bytes."""

    recipe: str
    digest: str = Field(description="DVC hash of the cleaned folder, e.g. '3f2a....dir'")
    path: str = Field(description="folder with the shards and arrays, relative to the workspace")
    contents: DatasetContents
