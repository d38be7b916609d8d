"""A pair of encoders that place two columns of an item near each other (CLIP: Radford et al. 2021), such as a picture and its
caption: to find one by the other, to make one from the other's code, and to judge whether the two belong together.

Every other item of a batch is a wrong partner, but for those whose text is the very same: those are partners too.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.batch import Batch, Given
from genwright.core.errors import ModelError
from genwright.core.shapes import Label, Shape, Signal, Signature
from genwright.models.architectures.base import Architecture, ArchitectureConfig, architectures
from genwright.models.layers.towers import TowerConfig, tower

FIRST, SHARPEST = 1 / 0.07, 100.0  # factor on cosines: at first, and at most
FAR = -1e4  # the score of a partner that is not there


class ClipConfig(TowerConfig, ArchitectureConfig):
    code: int = Field(64, ge=2, description="dimensions of a code")
    dropout: float = 0.1


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
            {name: tower(name, port.shape, config, config.code, config.dropout) for name, port in signature.given.items()}
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
