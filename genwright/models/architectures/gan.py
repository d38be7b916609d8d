"""Generative adversarial network of fully connected layers (Goodfellow et al. 2014).

What is given enters the generator beside the noise and the critic by projection.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.shapes import Signal, Signature
from genwright.models.architectures.adversarial import Adversarial, AdversarialConfig, Player, projected
from genwright.models.architectures.base import architectures
from genwright.models.layers.conditioning import Conditioned, Conditioner


class GanConfig(AdversarialConfig):
    width: int = Field(256, ge=8, description="hidden units a layer")
    latent: int = Field(32, ge=1, description="dimensions of the noise")


class Generator(Player):
    """Noise (n, latent), and what is given, to an item in [-1, 1]."""

    def __init__(self, config: GanConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        assert isinstance(signature.makes, Signal)
        self._dims = signature.makes.dims
        self.conditioner = Conditioner(signature, config.latent)
        self.net = _layers(config.latent * (2 if signature.given else 1), config.width, signature.makes.size)

    def forward(self, x: Tensor, given: Conditioned) -> Tensor:
        if self.conditioner.ways:
            x = torch.cat([x, given.vector], dim=1)
        return torch.tanh(self.net(x)).view(-1, *self._dims)


class Critic(Player):
    """An item, and what is given, to how real it looks (n,)."""

    def __init__(self, config: GanConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        assert isinstance(signature.makes, Signal)
        self.net = _layers(signature.makes.size, config.width, config.width)
        self.head = nn.Linear(config.width, 1)
        self.conditioner = Conditioner(signature, config.width)

    def forward(self, x: Tensor, given: Conditioned) -> Tensor:
        features = F.leaky_relu(self.net(x.flatten(1)), 0.2)
        realness: Tensor = self.head(features).squeeze(1)
        return realness + projected(features, given) if self.conditioner.ways else realness


def _layers(inner: int, width: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inner, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, outer)
    )


@architectures.register
class Gan(Adversarial):
    """Fully connected players, for small pictures, vectors and whatever else is short."""

    name = "gan"
    Config = GanConfig
    Generator, Critic = Generator, Critic
    defaults = {"learning_rate": 5e-4, "batch_size": 128, "average": 0.998, "momentum": 0.0, "clip": 10.0}

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        makes = signature.makes
        if not isinstance(makes, Signal) or not makes.bounded:
            return "models arrays in [-1, 1], not sequences or latents"
        if makes.size > 64 * 64 * 3:
            return f"fully connected layers over {makes.size:,} values; it takes up to {64 * 64 * 3:,}"
        return None

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> GanConfig:
        assert isinstance(signature.makes, Signal)
        latent = max(8, min(128, signature.makes.size // 2))
        return GanConfig(width=max(32, 32 * round(8 * math.sqrt(dial))), latent=latent)
