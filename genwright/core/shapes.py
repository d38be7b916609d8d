"""The narrow waist: kinds of content and families of model meet only in shapes, and in a signature made of them."""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from typing import Annotated, Literal

from pydantic import Field, model_validator

from genwright.core.record import Record

PAD, BOS, EOS = 0, 1, 2
"""Token ids with the same meaning in every vocabulary: padding, beginning and end of an item."""

Axis = Literal["y", "x", "z", "t", "f", "point"]
"""Rows, columns, depth, time, frequency, a member of a set without order."""


class Tokens(Record):
    """Sequences of up to `length` integers in [0, vocab); 0, 1 and 2 are PAD, BOS and EOS."""

    kind: Literal["tokens"] = "tokens"
    vocab: int = Field(gt=3)
    length: int = Field(gt=1)


class Signal(Record):
    """Real arrays (channels, *axes). `over` names each axis, so that a waveform, points, a video and voxels are told apart
    by shape alone; without axes it is a plain vector. `bounded`: values lie in [-1, 1]; else they have about unit variance
    (latents, embeddings)."""

    kind: Literal["signal"] = "signal"
    channels: int = Field(gt=0)
    axes: tuple[int, ...] = ()
    over: tuple[Axis, ...] = ()
    bounded: bool = True

    @model_validator(mode="after")
    def _named(self) -> Signal:
        if len(self.axes) != len(self.over):
            raise ValueError(f"`over` names each axis: {len(self.axes)} axes, {len(self.over)} names")
        return self

    @property
    def dims(self) -> tuple[int, ...]:
        return (self.channels, *self.axes)

    @property
    def size(self) -> int:
        return prod(self.dims)

    @property
    def grid(self) -> bool:
        """Whether neighbouring places are alike, so that convolutions over all axes apply."""
        return bool(self.axes) and "point" not in self.over

    @property
    def picture(self) -> bool:
        """Whether the axes are rows and columns."""
        return self.over == ("y", "x")


class Label(Record):
    """One of `classes`, an integer in [0, classes)."""

    kind: Literal["label"] = "label"
    classes: int = Field(gt=0)


Shape = Annotated[Tokens | Signal | Label, Field(discriminator="kind")]


class Port(Record):
    """A column a model is given. `optional`: an item may lack it, and who asks may leave it out. `drop`: the share of
    training rows it is hidden from besides, so that guidance works; None leaves that to the family."""

    shape: Shape
    optional: bool = False
    drop: float | None = Field(None, ge=0, lt=1)


class Signature(Record):
    """What a model makes from which named givens: all that kinds of content and families know of each other. `makes` is
    None for a model that relates or encodes what it is given."""

    makes: Shape | None
    given: dict[str, Port] = Field(default_factory=dict)

    def asked(self, given: Collection[str] | None) -> Signature:
        """The same of which only some is given; None: all of it."""
        ports = {name: port for name, port in self.given.items() if given is None or name in given}
        return Signature(makes=self.makes, given=ports)

    def one(self, kind: type[Tokens] | type[Signal] | type[Label]) -> str | None:
        """The name of the only given of a kind of shape; None where there is none, or more than one."""
        names = [name for name, port in self.given.items() if isinstance(port.shape, kind)]
        return names[0] if len(names) == 1 else None
