"""A part of an array hidden: what is left, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.record import Record
from genwright.core.shapes import Shape
from genwright.data.derivations.base import Derivation, derivations, picture

STROKES = 3  # brush strokes at most
POINTS = 24  # places a stroke is laid at

Kind = Literal["box", "strokes", "half"]


class MaskedOptions(Record):
    kinds: list[Kind] = Field(["box", "strokes", "half"], min_length=1, description="what is hidden, one of them a row")
    least: float = Field(0.2, gt=0, lt=1, description="sides of a box, as a share of the picture's: at least")
    most: float = Field(0.7, gt=0, le=1, description="at most")


@derivations.register
class Masked(Derivation):
    """Random boxes, brush strokes and half planes are hidden: zero there. The part `mask` is 1 where the picture is left."""

    name = "masked"
    Options: ClassVar[type[Record]] = MaskedOptions
    drawn = True
    hides = True
    options: MaskedOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        shape = picture(of, self.name)
        return {"": shape, "mask": shape.model_copy(update={"channels": 1})}

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        height, width = of[0].shape[2:]
        makers = {"box": self._boxes, "strokes": _strokes, "half": _halves}
        hidden = torch.stack([makers[kind](draws, height, width) for kind in self.options.kinds], dim=1)
        chosen = draws.integers(len(self.options.kinds)).to(hidden.device)
        return self.hide(of[0], (~hidden[torch.arange(len(hidden)), chosen])[:, None].to(of[0]))

    def hide(self, value: Tensor, keep: Tensor) -> dict[str, Tensor]:
        return {"": value * keep, "mask": keep}

    def _boxes(self, draws: Draws, height: int, width: int) -> Tensor:
        """(n, height, width) whether a place lies in the row's box."""
        u = draws.uniform(4)[..., None, None]
        y, x = _places(height, width, u.device)
        sides = self.options.least + (self.options.most - self.options.least) * u[:, :2]
        top, left = u[:, 2] * (1 - sides[:, 0]), u[:, 3] * (1 - sides[:, 1])
        return (y >= top) & (y < top + sides[:, 0]) & (x >= left) & (x < left + sides[:, 1])


def _places(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(height, 1) and (1, width): the middles of rows and columns in [0, 1]."""
    y = (torch.arange(height, device=device) + 0.5) / height
    x = (torch.arange(width, device=device) + 0.5) / width
    return y[:, None], x[None]


def _strokes(draws: Draws, height: int, width: int) -> Tensor:
    """(n, height, width) whether a place lies under one of the row's strokes: walks that turn a little at every step."""
    start, turns, more = draws.uniform(STROKES, 3), draws.normal(STROKES, POINTS), draws.uniform(STROKES, 2)
    angle = 2 * math.pi * start[..., 2:] + (0.5 * turns).cumsum(dim=2)
    reach = 0.04 + 0.02 * more[..., :1]
    down, across = (start[..., k, None] + (reach * f(angle)).cumsum(dim=2) for k, f in ((0, torch.sin), (1, torch.cos)))
    y, x = _places(height, width, angle.device)
    radius = (0.04 + 0.06 * more[..., 1]).square()[..., None, None]
    hidden = torch.zeros(len(angle), height, width, dtype=torch.bool, device=angle.device)
    for point in range(POINTS):
        dy = down[:, :, point, None, None] - y
        dx = across[:, :, point, None, None] - x
        hidden |= (dy.square() + dx.square() < radius).any(dim=1)
    return hidden


def _halves(draws: Draws, height: int, width: int) -> Tensor:
    """(n, height, width) whether a place lies on the hidden side of a line near the middle."""
    u = draws.uniform(2)[..., None, None]
    y, x = _places(height, width, u.device)
    angle = 2 * math.pi * u[:, 0]
    return (y - 0.5) * torch.sin(angle) + (x - 0.5) * torch.cos(angle) > 0.4 * (u[:, 1] - 0.5)
