"""A sketch from a picture: its outlines, dark on white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from genwright.core.draws import Draws
from genwright.core.record import Record
from genwright.core.shapes import Shape
from genwright.data.derivations.base import Derivation, derivations, picture

GREY = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


class EdgesOptions(Record):
    width: float = Field(0.8, gt=0, le=8, description="of the strokes: standard deviation of the finer blur, in pixels")
    threshold: float = Field(0.06, ge=0, le=1, description="contrast below which nothing is drawn")
    sharpness: float = Field(12.0, gt=0, le=200, description="how steeply a stroke goes from white to black")


@derivations.register
class Edges(Derivation):
    """The magnitude of a difference of Gaussians, softly thresholded (after XDoG: Winnemoeller et al. 2012). One channel in
    [-1, 1]: paper is 1, strokes -1."""

    name = "edges"
    Options: ClassVar[type[Record]] = EdgesOptions
    options: EdgesOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        return {"": picture(of, self.name).model_copy(update={"channels": 1})}

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        x = of[0]
        weights = torch.tensor(GREY, device=x.device, dtype=x.dtype) if x.shape[1] == 3 else x.new_ones(x.shape[1]) / x.shape[1]
        grey = (x * weights.view(1, -1, 1, 1)).sum(dim=1, keepdim=True)
        fine, coarse = blurred(grey, self.options.width), blurred(grey, 1.6 * self.options.width)
        stroke = torch.tanh(self.options.sharpness * ((fine - coarse).abs() - self.options.threshold).clamp_min(0))
        return {"": 1 - 2 * stroke}


def blurred(x: Tensor, deviation: float) -> Tensor:
    """(n, 1, height, width) under a Gaussian, the border repeated."""
    reach = max(1, round(3 * deviation))
    at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (at / deviation).square())
    kernel = kernel / kernel.sum()
    x = F.conv2d(F.pad(x, (0, 0, reach, reach), mode="replicate"), kernel.view(1, 1, -1, 1))
    return F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
