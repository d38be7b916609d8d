"""A diffusion prior (Ramesh et al. 2022): plain vectors, such as codes of pictures, from noise and what is given.

A perceptron of residual blocks that time and the given scale, shift and gate (as in DiT: Peebles and Xie 2023). It tells the
content itself, which for codes does better than telling the noise (Ramesh et al. 2022).
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from genwright.core.shapes import Signal, Signature
from genwright.models.architectures.base import architectures
from genwright.models.architectures.denoising import Denoising, DenoisingConfig
from genwright.models.layers.conditioning import Conditioned, Conditioner
from genwright.models.layers.dropout import Dropout
from genwright.models.layers.silu import Silu, silu
from genwright.models.layers.transformer import FeedForward, norm
from genwright.models.layers.unet import wave, zero


class PriorConfig(DenoisingConfig):
    width: int = Field(256, ge=64, multiple_of=64, description="dimensions of the state")
    blocks: int = Field(4, ge=1, description="blocks one after the other")
    target: Literal["v", "noise", "content", "flow"] = Field("content", description="what the network tells")


class ModulatedFeed(nn.Module):
    """Feed-forward with a skip; an embedding (n, width) says how much of it."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.feed, self.drop = FeedForward(width), Dropout(dropout)
        self.modulate = zero(nn.Linear(width, 3 * width))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift, gate = self.modulate(embedding).chunk(3, dim=-1)
        return x + (1 + gate) * self.drop(self.feed(norm(x) * (1 + scale) + shift))  # type: ignore[no-any-return]


@architectures.register
class Prior(Denoising):
    """A perceptron that learns to remove noise from vectors."""

    name = "prior"
    Config = PriorConfig
    defaults = {"learning_rate": 1e-3, "batch_size": 128, "average": 0.995, "weight_decay": 0.05}
    config: PriorConfig

    def __init__(self, config: PriorConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        width = config.width
        self.conditioner = Conditioner(signature, width, reading=config.reading, dropout=config.dropout, drop=config.hide)
        self.time = nn.Sequential(nn.Linear(width, width), Silu(), nn.Linear(width, width))
        self.enter = nn.Linear(self.makes.channels, width)
        self.blocks = nn.ModuleList(ModulatedFeed(width, config.dropout) for _ in range(config.blocks))
        self.head = nn.Linear(width, self.makes.channels)

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        makes = signature.makes
        return None if isinstance(makes, Signal) and not makes.axes else "models plain vectors (codes)"

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> PriorConfig:
        return PriorConfig(width=64 * max(1, round(4 * math.sqrt(dial))), blocks=max(2, round(4 * math.sqrt(dial))))

    def predict(self, x: Tensor, time: Tensor, given: Conditioned) -> Tensor:
        embedding = silu(self.time(wave(time, self.config.width)) + given.vector)
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, embedding)
        return self.head(norm(h))  # type: ignore[no-any-return]
