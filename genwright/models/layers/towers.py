"""A column read into one vector, for models that tell something of it: encoders and classifiers."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn

from genwright.core.batch import Given
from genwright.core.record import Record
from genwright.core.shapes import Port, Shape, Signal, Signature
from genwright.models.layers.conditioning import Conditioner
from genwright.models.layers.silu import Silu
from genwright.models.layers.unet import ResidualBlock, conv, depth, norm


class TowerConfig(Record):
    width: int = Field(32, ge=8, multiple_of=8, description="channels of an array at full resolution; texts are twice as wide")
    reading: int = Field(2, ge=1, description="blocks that read a text")


class GridTower(nn.Module):
    """(n, channels, *axes) to (n, outer): convolutions down to a small grid, of which the mean and the maxima count."""

    def __init__(self, shape: Signal, width: int, outer: int, dropout: float) -> None:
        super().__init__()
        over = len(shape.axes)
        widths = [width * min(2**level, 4) for level in range(depth(shape.axes) + 1)]
        blocks: list[nn.Module] = [conv(over, shape.channels, widths[0]), ResidualBlock(widths[0], widths[0], axes=over)]
        for inner, wider in pairwise(widths):
            blocks += [conv(over, inner, wider, stride=2), ResidualBlock(wider, wider, dropout=dropout, axes=over)]
        self.blocks = nn.Sequential(*blocks, norm(widths[-1]), Silu())
        self.leave = nn.Linear(2 * widths[-1], outer)

    def forward(self, value: Tensor) -> Tensor:
        places = self.blocks(value).flatten(2)
        return self.leave(torch.cat([places.mean(dim=2), places.amax(dim=2)], dim=1))  # type: ignore[no-any-return]


class ReadingTower(nn.Module):
    """Whatever else can be given (a text, a vector) to (n, outer)."""

    def __init__(self, name: str, shape: Shape, config: TowerConfig, outer: int, dropout: float) -> None:
        super().__init__()
        self.name, width = name, 2 * config.width
        alone = Signature(makes=None, given={name: Port(shape=shape)})
        self.conditioner = Conditioner(alone, width, reading=config.reading, dropout=dropout)
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outer))

    def forward(self, value: Tensor) -> Tensor:
        read = self.conditioner(len(value), {self.name: Given.all(value)})
        return self.leave(read.vector)  # type: ignore[no-any-return]


def tower(name: str, shape: Shape, config: TowerConfig, outer: int, dropout: float) -> nn.Module:
    """What reads a column of that shape into `outer` numbers."""
    if isinstance(shape, Signal) and shape.grid:
        return GridTower(shape, config.width, outer, dropout)
    return ReadingTower(name, shape, config, outer, dropout)
