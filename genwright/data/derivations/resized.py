"""Arrays in another resolution."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal
from genwright.data.derivations.base import Derivation, derivations, grid

Size = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class ResizedOptions(Record):
    size: Size = Field(description="length along each axis, e.g. [height, width]")


@derivations.register
class Resized(Derivation):
    """Scaled to a size along any number of axes: bicubic, antialiased where it shrinks."""

    name = "resized"
    Options: ClassVar[type[Record]] = ResizedOptions
    options: ResizedOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        return {"": scaled(grid(of, self.name), self.options.size)}

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        return {"": scale(of[0], self.options.size)}


def scaled(shape: Signal, size: tuple[int, ...]) -> Signal:
    """The shape in another size. Raises ModelError where the number of axes differs."""
    if len(size) != len(shape.axes):
        raise ModelError("A size has one length for each axis.", got=list(size), allowed=f"{len(shape.axes)} lengths")
    return shape.model_copy(update={"axes": size})


def scale(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """(n, channels, *axes) in another size. No value leaves the range of its row."""
    if tuple(x.shape[2:]) == size:
        return x
    dims = tuple(range(1, x.ndim))
    low, high = x.amin(dim=dims, keepdim=True), x.amax(dim=dims, keepdim=True)
    for axis, length in enumerate(size, start=2):
        if x.shape[axis] != length:
            x = _along(x, axis, length)
    return x.clamp(low, high)  # the kernel overshoots


def _along(x: Tensor, axis: int, length: int) -> Tensor:
    """One axis in another length: that is a picture's height where others lie behind it, else its width."""
    n, *before = x.shape[:axis]
    behind = x.shape[axis + 1 :]
    if prod(behind) > 1:
        flat, size = x.reshape(n, prod(before), x.shape[axis], prod(behind)), (length, prod(behind))
    else:  # as a height this comes out wrong: torch 2.13 scales no picture well that ends up one column wide
        flat, size = x.reshape(n, 1, prod(before), x.shape[axis]), (prod(before), length)
    found = F.interpolate(flat, size=size, mode="bicubic", antialias=True, align_corners=False)
    return found.reshape(n, *before, length, *behind)
