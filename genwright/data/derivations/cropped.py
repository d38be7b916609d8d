"""A part cut out: patches to train on, and plain augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal
from genwright.data.derivations.base import Derivation, derivations, grid
from genwright.data.derivations.resized import Size, scaled


class CroppedOptions(Record):
    size: Size = Field(description="length along each axis of what is cut out, e.g. [height, width]")
    at: Literal["anywhere", "centre"] = Field("anywhere", description="where it is cut out")
    mirror: bool = Field(False, description="swap left and right every other time, by a draw")
    place: bool = Field(False, description="give where it was cut out as well, as a column of its own")


@derivations.register
class Cropped(Derivation):
    """A part of a size, from anywhere or from the centre, mirrored or not. Its part `place` is a vector: for each axis how far
    the middle of the part lies from that of the whole, from -1 to 1, then 1 where it was mirrored after that. A model that is
    given it does not learn to cut off heads (Podell et al. 2023); zeros ask for the centre."""

    name = "cropped"
    Options: ClassVar[type[Record]] = CroppedOptions
    drawn = True
    options: CroppedOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        shape, size = grid(of, self.name), self.options.size
        found: dict[str, Shape] = {"": scaled(shape, size)}
        if any(part > whole for part, whole in zip(size, shape.axes, strict=True)):
            raise ModelError("No more can be cut out than there is.", got=list(size), allowed=f"at most {list(shape.axes)}")
        if self.options.mirror and shape.over[-1] != "x":
            raise ModelError("Only what has columns as its last axis has a left and a right.", got=shape.over, do="no `mirror`")
        return found | ({"place": Signal(channels=len(size) + 1)} if self.options.place else {})

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        value, place = of[0], []
        for axis, size in enumerate(self.options.size, start=2):
            slack = value.shape[axis] - size
            start = draws.integers(slack + 1)
            if self.options.at == "centre":
                start = torch.full_like(start, slack // 2)
            value = taken(value, axis, start[:, None] + torch.arange(size, device=value.device))
            place.append((2 * start - slack) / max(slack, 1))
        swapped = draws.integers(2) * int(self.options.mirror)
        if self.options.mirror:
            value = torch.where(swapped.bool().view(-1, *([1] * (value.ndim - 1))), value.flip(-1), value)
        return {"": value} | ({"place": torch.stack([*place, swapped.to(value)], dim=1)} if self.options.place else {})


def taken(x: Tensor, axis: int, places: Tensor) -> Tensor:
    """x at each row's own places (n, m) along an axis."""
    shape = [places.shape[1] if dim == axis else len(x) if dim == 0 else 1 for dim in range(x.ndim)]
    return x.take_along_dim(places.view(shape), dim=axis)
