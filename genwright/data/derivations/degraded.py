"""Low resolution with noise: what a model that upscales is given, so that it does not rely on a perfect input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal
from genwright.data.derivations.base import Derivation, derivations, grid
from genwright.data.derivations.blurring import blurred
from genwright.data.derivations.resized import Size, scale, scaled


class DegradedOptions(Record):
    size: Size | None = Field(None, description="length along each axis; default: as it is")
    blur: float = Field(0.0, ge=0, le=8, description="largest standard deviation of a blur, in places of the size; it is drawn")
    noise: float = Field(0.1, ge=0, le=2, description="largest standard deviation of the noise; the level is drawn")
    level: bool = Field(False, description="give the level drawn as well, as a column of its own")

    @model_validator(mode="after")
    def _levelled(self) -> DegradedOptions:
        if self.level and not self.noise:
            raise ValueError("there is no level without noise: leave `level` out, or give `noise`")
        return self


@derivations.register
class Degraded(Derivation):
    """Scaled, blurred where asked for, then with Gaussian noise of a level drawn evenly from 0 to `noise` (conditioning
    augmentation: Ho et al. 2022). Values stay in [-1, 1], or in the row's own range where that is wider. Its part `level` is
    the level over `noise`, as a vector of one number: 0 is clean."""

    name = "degraded"
    Options: ClassVar[type[Record]] = DegradedOptions
    drawn = True
    options: DegradedOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        shape = grid(of, self.name)
        found: dict[str, Shape] = {"": shape if self.options.size is None else scaled(shape, self.options.size)}
        return found | ({"level": Signal(channels=1, bounded=False)} if self.options.level else {})

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        value, options = of[0], self.options
        if options.size is not None:
            value = scale(value, options.size)
        dims = tuple(range(1, value.ndim))
        low, high = value.amin(dim=dims, keepdim=True).clamp_max(-1), value.amax(dim=dims, keepdim=True).clamp_min(1)
        level, softness = draws.uniform(1), draws.uniform(1)
        if options.blur:
            value = blurred(value, softness[:, 0] * options.blur, options.blur)
        if options.noise:
            deviation = (level * options.noise).view(-1, *([1] * (value.ndim - 1)))
            value = (value + draws.normal(*value.shape[1:]) * deviation).clamp(low, high)
        return {"": value} | ({"level": level} if options.level else {})
