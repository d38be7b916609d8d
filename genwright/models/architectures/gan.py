"""Generative adversarial network of fully connected layers (Goodfellow et al. 2014).

Trained with the relativistic pairing loss and zero-centred gradient penalties on real and generated items, which
converges where the original loss cycles or drops modes (R3GAN: Huang et al. 2024). What is given enters the generator
beside the noise and the critic by projection (Miyato and Koyama 2018).
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.batch import Batch
from genwright.core.shapes import Signal, Signature
from genwright.models.architectures.base import Architecture, ArchitectureConfig, EmitOptions, architectures
from genwright.models.layers.conditioning import Conditioned, Conditioner


class GanConfig(ArchitectureConfig):
    width: int = Field(256, ge=8, description="hidden units a layer")
    latent: int = Field(32, ge=1, description="dimensions of the noise")
    penalty: float = Field(1.0, ge=0, description="weight of the gradient penalties R1 and R2")


class Generator(nn.Module):
    """Noise (n, latent), and what is given, to a flat item in [-1, 1]."""

    def __init__(self, config: GanConfig, signature: Signature, size: int) -> None:
        super().__init__()
        self.conditioner = Conditioner(signature, config.latent)
        self.net = _layers(config.latent * (2 if signature.given else 1), config.width, size)

    def forward(self, noise: Tensor, given: Conditioned) -> Tensor:
        if self.conditioner.ways:
            noise = torch.cat([noise, given.vector], dim=1)
        return torch.tanh(self.net(noise))


class Critic(nn.Module):
    """A flat item, and what is given, to how real it looks (n,)."""

    def __init__(self, config: GanConfig, signature: Signature, size: int) -> None:
        super().__init__()
        self.net = _layers(size, config.width, config.width)
        self.head = nn.Linear(config.width, 1)
        self.conditioner = Conditioner(signature, config.width)

    def forward(self, x: Tensor, given: Conditioned) -> Tensor:
        features = F.leaky_relu(self.net(x), 0.2)
        realness: Tensor = self.head(features).squeeze(1)
        if self.conditioner.ways:
            realness = realness + (features * given.vector).sum(dim=1) / math.sqrt(features.shape[1])
        return realness


def _layers(inner: int, width: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inner, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, outer)
    )


@architectures.register
class Gan(Architecture):
    """A generator and a critic that play against each other."""

    name = "gan"
    Config = GanConfig
    Options = EmitOptions
    players = ("critic", "generator")
    defaults = {"learning_rate": 5e-4, "batch_size": 128, "average": 0.998, "momentum": 0.0, "clip": 10.0}
    config: GanConfig

    def __init__(self, config: GanConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        self.generator = Generator(config, signature, self.makes.size)
        self.critic = Critic(config, signature, self.makes.size)

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

    @property
    def latent(self) -> Signal:
        return Signal(channels=self.config.latent, bounded=False)

    def loss(self, batch: Batch, player: str) -> Tensor:
        real, n = batch.made.flatten(1), len(batch)
        noise = torch.randn(n, self.config.latent, device=real.device)
        fake = self.generator(noise, self.generator.conditioner(n, batch.given))
        given = self.critic.conditioner(n, batch.given)
        if player == "generator":
            return F.softplus(self.critic(real, given) - self.critic(fake, given)).mean()
        real, fake = real.requires_grad_(), fake.detach().requires_grad_()
        real_score, fake_score = self.critic(real, given), self.critic(fake, given)
        slopes = torch.autograd.grad(real_score.sum() + fake_score.sum(), [real, fake], create_graph=True)
        penalty = sum((slope.square().sum(dim=1).mean() for slope in slopes), start=real.new_zeros(()))
        return F.softplus(fake_score - real_score).mean() + 0.5 * self.config.penalty * penalty

    def read(self, n: int, given: object) -> Conditioned:
        """What the generator is given."""
        return self.generator.conditioner(n, given)  # type: ignore[no-any-return]

    def emit(self, latent: Tensor, given: Conditioned) -> Tensor:
        return self.generator(latent, given).view(-1, *self.makes.dims)  # type: ignore[no-any-return]
