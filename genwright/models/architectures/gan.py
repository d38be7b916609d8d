"""Generative adversarial network of fully connected layers (Goodfellow et al. 2014).

Trained with the relativistic pairing loss and zero-centred gradient penalties on real and generated items, which
converges where the original loss cycles or drops modes (R3GAN: Huang et al. 2024). A label enters the generator as an
embedding and the critic by projection (Miyato and Koyama 2018).
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.errors import ModelError
from genwright.core.shapes import NO_LABEL, Label, Shape, Signal
from genwright.data.dataset import Batch
from genwright.models.architectures.base import Architecture, ArchitectureConfig, SampleOptions, architectures
from genwright.models.layers.label import LabelEmbedding


class GanConfig(ArchitectureConfig):
    width: int = Field(256, ge=8, description="hidden units a layer")
    latent: int = Field(32, ge=1, description="dimensions of the noise")
    penalty: float = Field(1.0, ge=0, description="weight of the gradient penalties R1 and R2")


class GanOptions(SampleOptions):
    truncation: float = Field(1.0, gt=0, le=1, description="scale of the noise; below 1 more typical, less varied")


class Generator(nn.Module):
    """Noise (n, latent), and a label where there is one, to a flat item in [-1, 1]."""

    def __init__(self, config: GanConfig, size: int, classes: int) -> None:
        super().__init__()
        self.label = LabelEmbedding(classes, config.latent) if classes else None
        inner = config.latent * (2 if classes else 1)
        self.net = _layers(inner, config.width, size)

    def forward(self, noise: Tensor, labels: Tensor | None) -> Tensor:
        if self.label is not None:
            given = torch.full((len(noise),), NO_LABEL, device=noise.device) if labels is None else labels
            noise = torch.cat([noise, self.label(given)], dim=1)
        return torch.tanh(self.net(noise))


class Critic(nn.Module):
    """A flat item, and a label where there is one, to how real it looks (n,)."""

    def __init__(self, config: GanConfig, size: int, classes: int) -> None:
        super().__init__()
        self.net = _layers(size, config.width, config.width)
        self.head = nn.Linear(config.width, 1)
        self.label = LabelEmbedding(classes, config.width) if classes else None

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        features = F.leaky_relu(self.net(x), 0.2)
        realness: Tensor = self.head(features).squeeze(1)
        if self.label is not None and labels is not None:
            realness = realness + (features * self.label(labels)).sum(dim=1) / math.sqrt(features.shape[1])
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
    Options = GanOptions
    players = ("critic", "generator")
    defaults = {"learning_rate": 5e-4, "batch_size": 128, "average": 0.998, "momentum": 0.0, "clip": 10.0}
    config: GanConfig

    def __init__(self, config: GanConfig, content: Signal, condition: Shape | None) -> None:
        super().__init__(config, content, condition)
        classes = condition.classes if isinstance(condition, Label) else 0
        self.generator = Generator(config, content.size, classes)
        self.critic = Critic(config, content.size, classes)

    @classmethod
    def accepts(cls, content: Shape, condition: Shape | None) -> str | None:
        if not isinstance(content, Signal):
            return "models arrays, not sequences"
        if content.size > 64 * 64 * 3:
            return f"fully connected layers over {content.size:,} values; it takes up to {64 * 64 * 3:,}"
        if condition is not None and not isinstance(condition, Label):
            return "takes no condition but a label"
        return None

    @classmethod
    def sized(cls, content: Shape, condition: Shape | None, dial: float) -> GanConfig:
        assert isinstance(content, Signal)
        return GanConfig(width=max(32, 32 * round(8 * math.sqrt(dial))), latent=max(8, min(128, content.size // 2)))

    def _noise(self, n: int) -> Tensor:
        return torch.randn(n, self.config.latent, device=self.critic.head.weight.device)

    def loss(self, batch: Batch, player: str) -> Tensor:
        real, labels = batch.content.flatten(1), batch.condition
        fake = self.generator(self._noise(len(real)), labels)
        if player == "generator":
            return F.softplus(self.critic(real, labels) - self.critic(fake, labels)).mean()
        real, fake = real.requires_grad_(), fake.detach().requires_grad_()
        real_score, fake_score = self.critic(real, labels), self.critic(fake, labels)
        slopes = torch.autograd.grad(real_score.sum() + fake_score.sum(), [real, fake], create_graph=True)
        penalty = sum((slope.square().sum(dim=1).mean() for slope in slopes), start=real.new_zeros(()))
        return F.softplus(fake_score - real_score).mean() + 0.5 * self.config.penalty * penalty

    def sample(self, n: int, condition: Tensor | None, options: SampleOptions, prefix: Tensor | None = None) -> Tensor:
        assert isinstance(options, GanOptions)
        assert isinstance(self.content, Signal)
        if prefix is not None:
            raise ModelError("A GAN has no use for a prompt.", do="leave it out")
        return self.generator(options.truncation * self._noise(n), condition).view(n, *self.content.dims)  # type: ignore[no-any-return]
