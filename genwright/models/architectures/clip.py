"""A pair of encoders that place two columns of an item near each other (CLIP: Radford et al. 2021), such as a picture and its
caption: to find one by the other, to make one from the other's code, and to judge whether the two belong together.

Every other item of a batch is a wrong partner, but for those whose text is the very same: those are partners too.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.batch import Batch, Given
from genwright.core.errors import ModelError
from genwright.core.shapes import Label, Port, Shape, Signal, Signature
from genwright.models.architectures.base import Architecture, ArchitectureConfig, architectures
from genwright.models.layers.conditioning import Conditioner
from genwright.models.layers.silu import Silu
from genwright.models.layers.unet import ResidualBlock, conv, depth, norm

FIRST, SHARPEST = 1 / 0.07, 100.0  # factor on cosines: at first, and at most
FAR = -1e4  # the score of a partner that is not there


class ClipConfig(ArchitectureConfig):
    width: int = Field(32, ge=8, multiple_of=8, description="channels of an array at full resolution; texts are twice as wide")
    code: int = Field(64, ge=2, description="dimensions of a code")
    reading: int = Field(2, ge=1, description="blocks that read a text")
    dropout: float = 0.1


class GridTower(nn.Module):
    """(n, channels, *axes) to a code (n, code): convolutions down to a small grid, of which the mean and the maxima count."""

    def __init__(self, shape: Signal, config: ClipConfig) -> None:
        super().__init__()
        over = len(shape.axes)
        widths = [config.width * min(2**level, 4) for level in range(depth(shape.axes) + 1)]
        blocks: list[nn.Module] = [conv(over, shape.channels, widths[0]), ResidualBlock(widths[0], widths[0], axes=over)]
        for inner, outer in pairwise(widths):
            blocks += [conv(over, inner, outer, stride=2), ResidualBlock(outer, outer, dropout=config.dropout, axes=over)]
        self.blocks = nn.Sequential(*blocks, norm(widths[-1]), Silu())
        self.leave = nn.Linear(2 * widths[-1], config.code)

    def forward(self, value: Tensor) -> Tensor:
        places = self.blocks(value).flatten(2)
        return self.leave(torch.cat([places.mean(dim=2), places.amax(dim=2)], dim=1))  # type: ignore[no-any-return]


class ReadingTower(nn.Module):
    """Whatever else can be given (a text, a vector) to a code (n, code)."""

    def __init__(self, name: str, shape: Shape, config: ClipConfig) -> None:
        super().__init__()
        self.name, width = name, 2 * config.width
        alone = Signature(makes=None, given={name: Port(shape=shape)})
        self.conditioner = Conditioner(alone, width, reading=config.reading, dropout=config.dropout)
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.code))

    def forward(self, value: Tensor) -> Tensor:
        read = self.conditioner(len(value), {self.name: Given.all(value)})
        return self.leave(read.vector)  # type: ignore[no-any-return]


@architectures.register
class Clip(Architecture):
    """Two encoders whose codes agree where they are of the same item; it makes nothing."""

    name = "clip"
    Config = ClipConfig
    defaults = {"learning_rate": 1e-3, "batch_size": 256, "average": 0.99, "weight_decay": 0.1, "precision": "bfloat16"}
    decodable: frozenset[str] = frozenset()
    config: ClipConfig

    def __init__(self, config: ClipConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        self.towers = nn.ModuleDict(
            {
                name: GridTower(port.shape, config)
                if isinstance(port.shape, Signal) and port.shape.grid
                else ReadingTower(name, port.shape, config)
                for name, port in signature.given.items()
            }
        )
        self.sharpness = nn.Parameter(torch.tensor(math.log(FIRST)))

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        if signature.makes is not None:
            return "makes nothing: it relates two columns that it is given"
        if len(signature.given) != 2 or any(isinstance(port.shape, Label) for port in signature.given.values()):
            return "relates two columns, neither of them a label"
        return None

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> ClipConfig:
        return ClipConfig(width=max(8, 8 * round(4 * math.sqrt(dial))), code=max(16, 16 * round(4 * math.sqrt(dial))))

    @property
    def codes(self) -> dict[str, Shape]:
        """Of either column, a vector of about unit variance."""
        return {name: Signal(channels=self.config.code, bounded=False) for name in self.towers}

    def encode(self, column: str, value: Tensor) -> Tensor:
        """(n, code), of which the products of a pair, divided by `code`, are cosines."""
        return F.normalize(self.towers[column](value).float(), dim=1) * math.sqrt(self.config.code)

    def decode(self, column: str, code: Tensor) -> Tensor:
        raise ModelError("There is no way back from a code of this kind.", do="train a model that makes a picture of it")

    def loss(self, batch: Batch, player: str) -> Tensor:
        """The mean surprise at the right partner among all of the batch, in nats, both ways; rows that lack a column count
        nothing."""
        none = (Given.none(port.shape, len(batch), self.sharpness.device) for port in self.signature.given.values())
        one, other = (batch.given.get(name, absent) for name, absent in zip(self.towers, none, strict=True))
        first, second = (self.encode(name, given.value) for name, given in zip(self.towers, (one, other), strict=True))
        there = one.present & other.present
        cosines = first @ second.T / self.config.code
        scores = cosines * self.sharpness.exp().clamp(max=SHARPEST)
        right = (_same(one.value) | _same(other.value)).float() * there
        right = right / right.sum(dim=1, keepdim=True).clamp_min(1)
        scores = scores.masked_fill(~there, FAR)
        return (_surprise(scores, right, there) + _surprise(scores.T.masked_fill(~there, FAR), right, there)) / 2


def _same(value: Tensor) -> Tensor:
    """(n, n) which rows are the same item for sure: itself, and of texts those that are equal."""
    if value.is_floating_point():
        return torch.eye(len(value), dtype=torch.bool, device=value.device)
    return (value[:, None] == value[None]).flatten(2).all(dim=2)


def _surprise(scores: Tensor, right: Tensor, there: Tensor) -> Tensor:
    """Mean cross-entropy of the rows that are there, of scores (n, n) and the shares (n, n) of right partners."""
    nats = -(right * scores.log_softmax(dim=1)).sum(dim=1)
    return (nats * there).sum() / there.sum().clamp_min(1)
