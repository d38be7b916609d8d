"""Low resolution with noise: what a model that upscales is given, so that it does not rely on a perfect input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal
from genwright.data.derivations.base import Derivation, derivations, grid
from genwright.data.derivations.resized import scale, scaled


class DegradedOptions(Record):
    size: tuple[int, ...] | None = Field(None, description="length along each axis; default: as it is")
    noise: float = Field(0.1, ge=0, le=2, description="largest standard deviation of the noise; the level is drawn")
    level: bool = Field(False, description="give the level drawn as well, as a column of its own")


@derivations.register
class Degraded(Derivation):
    """Scaled down, then with Gaussian noise of a level drawn evenly from 0 to `noise` (conditioning augmentation: Ho et al.
    2022). Its part `level` is the level over `noise`, as a vector of one number."""

    name = "degraded"
    Options: ClassVar[type[Record]] = DegradedOptions
    drawn = True
    options: DegradedOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        shape = grid(of, self.name)
        found: dict[str, Shape] = {"": shape if self.options.size is None else scaled(shape, self.options.size)}
        return found | ({"level": Signal(channels=1, bounded=False)} if self.options.level else {})

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        small = of[0] if self.options.size is None else scale(of[0], self.options.size)
        level = draws.uniform(1)
        noise = draws.normal(*small.shape[1:]) * (level * self.options.noise).view(-1, *([1] * (small.ndim - 1)))
        found = {"": (small + noise).clamp(-1, 1)}
        return found | ({"level": level} if self.options.level else {})
