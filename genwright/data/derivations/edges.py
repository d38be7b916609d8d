"""A sketch from a picture: its outlines, dark on white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.record import Record
from genwright.core.shapes import Shape
from genwright.data.derivations.base import Derivation, derivations, picture
from genwright.data.derivations.blurring import blurred, bordered

GREY = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
FAINTEST = 0.03  # change a pixel, of a range of 2, that counts as an edge at all
FLAT = 0.035  # of a ridge, how much it must fall off within a pixel: rounding to 256 levels makes lesser ones in a ramp
FAR = 1e6


class EdgesOptions(Record):
    width: float = Field(1.5, gt=0, le=2, description="of the strokes, in pixels")
    blur: float = Field(0.7, ge=0, le=8, description="standard deviation in pixels; what is smaller is not drawn")
    threshold: float = Field(0.2, gt=0, lt=1, description="share of the steepest edge's steepness that is drawn faintly")


@derivations.register
class Edges(Derivation):
    """Strokes along the ridges of the steepness of the blurred grey picture: edges thinned as in Canny (1986), but by the
    distance to the ridge, which a parabola across it tells to a part of a pixel, so that strokes are smooth. One channel in
    [-1, 1]: paper is 1, strokes are down to -1 where an edge is at least twice as steep as the threshold."""

    name = "edges"
    friendly = "sketch"
    Options: ClassVar[type[Record]] = EdgesOptions
    options: EdgesOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        return {"": picture(of, self.name).model_copy(update={"channels": 1, "bounded": True})}

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        grey = blurred(_grey(of[0]), of[0].new_full((len(of[0]),), self.options.blur), self.options.blur)
        down, across = _slope(grey, 2), _slope(grey, 3)
        steep = (down.square() + across.square()).sqrt()
        near = (self.options.width + 1) / 2 - _away(steep, down, across)
        faint = self.options.threshold * steep.amax(dim=(2, 3), keepdim=True).clamp_min(FAINTEST / self.options.threshold)
        return {"": 1 - 2 * near.clamp(0, 1) * (steep / faint - 1).clamp(0, 1)}


def _grey(x: Tensor) -> Tensor:
    """(n, 1, height, width): channels weighed as the eye does where there are three, evenly otherwise."""
    weights = GREY if x.shape[1] == 3 else (1 / x.shape[1],) * x.shape[1]
    total = weights[0] * x[:, :1]
    for channel, weight in enumerate(weights[1:], start=1):
        total = total + weight * x[:, channel : channel + 1]
    return total


def _slope(x: Tensor, axis: int) -> Tensor:
    """Change a pixel along an axis."""
    padded, length = bordered(x, axis, 1), x.shape[axis]
    return (padded.narrow(axis, 2, length) - padded.narrow(axis, 0, length)) / 2


def _away(steep: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Pixels from each place to the ridge of steepness beside it; many where there is none."""
    upright = down.abs() > across.abs()
    major, minor = torch.where(upright, down, across), torch.where(upright, across, down)
    lean = minor.abs() / major.abs().clamp_min(1 / FAR)
    same = (major >= 0) == (minor >= 0)
    ahead, behind = (_beside(steep, upright, same, lean, step) for step in (1, -1))
    bend = 2 * steep - ahead - behind
    away = (ahead - behind).abs() / (2 * bend) * (1 + lean.square()).sqrt()
    return torch.where(bend > FLAT * steep, away, FAR)


def _beside(steep: Tensor, upright: Tensor, same: Tensor, lean: Tensor, step: int) -> Tensor:
    """Steepness where the line along the slope meets the next row or column, between two of its pixels."""
    padded = bordered(bordered(steep, 2, 1), 3, 1)
    height, width = steep.shape[2:]

    def at(dy: int, dx: int) -> Tensor:
        return padded[:, :, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    straight = torch.where(upright, at(step, 0), at(0, step))
    falling, rising = at(step, step), torch.where(upright, at(step, -step), at(-step, step))
    return straight + lean * (torch.where(same, falling, rising) - straight)
