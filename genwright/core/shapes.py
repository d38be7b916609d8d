"""The narrow waist: kinds of content and families of model meet only in a shape."""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

PAD, BOS, EOS = 0, 1, 2
"""Token ids with the same meaning in every vocabulary: padding, beginning and end of an item."""

NO_LABEL = -1
"""The label of an item that has none (unlabelled data, or a condition dropped for guidance)."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tokens(_Shape):
    """Sequences of up to `length` integers in [0, vocab); 0, 1 and 2 are PAD, BOS and EOS."""

    kind: Literal["tokens"] = "tokens"
    vocab: int = Field(gt=3)
    length: int = Field(gt=1)


class Signal(_Shape):
    """Real arrays in [-1, 1] of shape (channels, *axes)."""

    kind: Literal["signal"] = "signal"
    channels: int = Field(gt=0)
    axes: tuple[int, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        return (self.channels, *self.axes)

    @property
    def size(self) -> int:
        return prod(self.dims)


class Label(_Shape):
    """One of `classes`, an integer in [0, classes); NO_LABEL where an item has none."""

    kind: Literal["label"] = "label"
    classes: int = Field(gt=0)


Shape = Annotated[Tokens | Signal | Label, Field(discriminator="kind")]


def labelled_picture(content: Shape, condition: Shape | None) -> str | None:
    """None for arrays with two axes, labelled or not; else why the pair is something else."""
    if not isinstance(content, Signal) or len(content.axes) != 2:
        return "models arrays with two axes (pictures)"
    return None if condition is None or isinstance(condition, Label) else "takes no condition but a label"
