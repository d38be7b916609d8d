"""The same thing a little otherwise: mirrored, shifted, recoloured, with a piece cut out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal
from genwright.data.derivations.base import Derivation, derivations, picture
from genwright.data.derivations.cropped import taken


class AugmentedOptions(Record):
    chance: float = Field(1.0, gt=0, le=1, description="share of the rows to which each of the changes below happens")
    mirror: bool = Field(False, description="swap left and right every other time, where that is the same thing")
    shift: float = Field(0.0625, ge=0, le=0.5, description="farthest along each axis, as a share of it; the border is repeated")
    colour: float = Field(0.0, ge=0, le=1, description="strength of changes of brightness, contrast and saturation")
    cut: float = Field(0.0, ge=0, le=0.75, description="side of a box that becomes grey, as a share of the axis")
    how: bool = Field(False, description="give what was done as well, as a column of its own")

    @model_validator(mode="after")
    def _something(self) -> AugmentedOptions:
        if not (self.mirror or self.shift or self.colour or self.cut):
            raise ValueError("nothing is changed: give `mirror`, `shift`, `colour` or `cut`")
        return self


@derivations.register
class Augmented(Derivation):
    """Changes that can be followed backwards, so that a critic may see real and generated pictures through them (DiffAugment:
    Zhao et al. 2020). Its part `how` is a vector of what was done: mirrored, shifts down and right, brightness, contrast,
    saturation, cut; a model that is given it does not learn to draw what was done to the pictures (Karras et al. 2022), and
    zeros ask for a picture as it is. Items are measured as they are."""

    name = "augmented"
    Options: ClassVar[type[Record]] = AugmentedOptions
    drawn = True
    options: AugmentedOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        shape = picture(of, self.name)
        if not shape.bounded:
            raise ModelError("Codes are not augmented: a shift or a colour means nothing there.", got=shape)
        found: dict[str, Shape] = {"": shape}
        return found | ({"how": Signal(channels=7)} if self.options.how else {})

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        value, options = of[0], self.options
        done = (draws.uniform(4) < options.chance).to(value)
        mirrored = done[:, 0] * draws.integers(2).to(value) * float(options.mirror)
        shifts = done[:, 1:2] * (2 * draws.uniform(2) - 1) * options.shift
        colours = done[:, 2:3] * (2 * draws.uniform(3) - 1) * options.colour
        middle, cut = draws.uniform(2), done[:, 3] * float(options.cut > 0)
        value = torch.where(_wide(mirrored) > 0, value.flip(-1), value)
        if options.shift:
            value = _shifted(value, shifts)
        if options.colour:
            seen = 3 if value.shape[1] == 4 else value.shape[1]  # how opaque a picture is, is no colour
            value = torch.cat([_coloured(value[:, :seen], colours), value[:, seen:]], dim=1)
        if options.cut:
            value = _cut(value, middle, options.cut, cut)
        value = value.clamp(-1, 1) if options.colour else value
        how = torch.cat([mirrored[:, None], shifts, colours, cut[:, None]], dim=1)
        return {"": value} | ({"how": how} if options.how else {})

    def unchanged(self, of: Sequence[Given]) -> dict[str, Given]:
        how = torch.zeros(len(of[0]), 7, device=of[0].value.device)
        return {"": of[0]} | ({"how": Given(how, of[0].present)} if self.options.how else {})


def _wide(x: Tensor) -> Tensor:
    """(n,) as (n, 1, 1, 1)."""
    return x.view(-1, 1, 1, 1)


def _shifted(x: Tensor, shares: Tensor) -> Tensor:
    """Rows and columns moved by a share of their number (n, 2), to the nearest whole one."""
    for axis, share in zip((2, 3), shares.unbind(dim=1), strict=True):
        size = x.shape[axis]
        places = torch.arange(size, device=x.device) - (share * size).round().long()[:, None]
        x = taken(x, axis, places.clamp(0, size - 1))
    return x


def _coloured(x: Tensor, strength: Tensor) -> Tensor:
    """Brightness by up to half the range, contrast by up to half, saturation between none and twice."""
    brightness, contrast, saturation = (_wide(one) for one in strength.unbind(dim=1))
    x = x + brightness
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * (1 + saturation)
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (x - middle) * (1 + 0.5 * contrast)


def _cut(x: Tensor, middle: Tensor, share: float, there: Tensor) -> Tensor:
    """A box around a place (n, 2) becomes grey in the rows where it is there (n,)."""
    inside = torch.ones(len(x), 1, 1, 1, dtype=torch.bool, device=x.device)
    for axis, at in zip((2, 3), middle.unbind(dim=1), strict=True):
        size = x.shape[axis]
        along = torch.arange(size, device=x.device)[None] - (at * size).floor()[:, None]
        near = along.abs() * 2 < share * size
        inside = inside & near.view(len(x), 1, *((size, 1) if axis == 2 else (1, size)))
    return torch.where(inside & (_wide(there) > 0), torch.zeros_like(x), x)
