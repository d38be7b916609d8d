"""Arrays in another resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal
from genwright.data.derivations.base import Derivation, derivations, grid


class ResizedOptions(Record):
    size: tuple[int, ...] = Field(min_length=1, max_length=3, description="length along each axis, e.g. [height, width]")


@derivations.register
class Resized(Derivation):
    """Scaled to a size: pictures bicubically with antialiasing, other grids by averaging or interpolating."""

    name = "resized"
    Options: ClassVar[type[Record]] = ResizedOptions
    options: ResizedOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        return {"": scaled(grid(of, self.name), self.options.size)}

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        return {"": scale(of[0], self.options.size)}


def scaled(shape: Signal, size: tuple[int, ...]) -> Signal:
    """The shape in another size. Raises ModelError where the number of axes differs."""
    if len(size) != len(shape.axes) or min(size) < 1:
        raise ModelError("A size has one length for each axis.", got=list(size), allowed=f"{len(shape.axes)} lengths")
    return shape.model_copy(update={"axes": tuple(size)})


def scale(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """(n, channels, *axes) in another size."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    if len(size) == 2:
        found = F.interpolate(x, size=tuple(size), mode="bicubic", antialias=True, align_corners=False)
        low, high = (bound(x.flatten(1), dim=1).view(-1, 1, 1, 1) for bound in (torch.amin, torch.amax))
        return found.clamp(low, high)  # bicubic weights overshoot
    return F.interpolate(x, size=tuple(size), mode="area")
