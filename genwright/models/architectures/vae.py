"""Variational autoencoder (Kingma and Welling 2014) with the optimal observation noise (sigma-VAE: Rybkin et al. 2021).

The reconstruction term sums over all values and uses the noise that explains the batch best, so that there is no weight
to tune between it and the KL term. Samples carry no observation noise.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.errors import ModelError
from genwright.core.shapes import NO_LABEL, Label, Shape, Signal, labelled_picture
from genwright.data.dataset import Batch
from genwright.models.architectures.base import Architecture, ArchitectureConfig, SampleOptions, architectures
from genwright.models.layers.label import LabelEmbedding
from genwright.models.layers.unet import ResidualBlock, depth, norm


class VaeConfig(ArchitectureConfig):
    width: int = Field(32, ge=8, multiple_of=8, description="channels at full resolution")
    latent: int = Field(16, ge=1, description="latent dimensions")
    dropout: float = 0.0
    unconditional: float = Field(0.1, ge=0, lt=1, description="share of labels dropped in training")


class VaeOptions(SampleOptions):
    temperature: float = Field(1.0, ge=0, le=2, description="spread of the latents; below 1 more typical, less varied")


@architectures.register
class Vae(Architecture):
    """A convolutional encoder to a Gaussian latent and a decoder back."""

    name = "vae"
    Config = VaeConfig
    Options = VaeOptions
    defaults = {"learning_rate": 2e-3, "batch_size": 128, "average": 0.99, "weight_decay": 0.01, "precision": "bfloat16"}
    config: VaeConfig

    def __init__(self, config: VaeConfig, content: Signal, condition: Shape | None) -> None:
        super().__init__(config, content, condition)
        levels, width = depth(content.axes), config.width
        widths = [width * min(2**i, 4) for i in range(levels + 1)]
        self._small = tuple(a // 2**levels for a in content.axes)
        self._deep = widths[-1]
        flat = self._deep * math.prod(self._small)
        self.label = LabelEmbedding(condition.classes, width, config.unconditional) if isinstance(condition, Label) else None
        given = width if self.label is not None else 0
        down: list[nn.Module] = [nn.Conv2d(content.channels, width, 3, padding=1), ResidualBlock(width, width)]
        for a, b in pairwise(widths):
            down += [nn.Conv2d(a, b, 3, stride=2, padding=1), ResidualBlock(b, b, dropout=config.dropout)]
        self.encoder = nn.Sequential(*down, norm(self._deep), nn.SiLU(), nn.Flatten())
        self.posterior = nn.Linear(flat + given, 2 * config.latent)
        self.expand = nn.Linear(config.latent + given, flat)
        up: list[nn.Module] = [ResidualBlock(self._deep, self._deep, dropout=config.dropout)]
        for a, b in pairwise(reversed(widths)):
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, padding=1), ResidualBlock(b, b, dropout=config.dropout)]
        self.decoder = nn.Sequential(*up, norm(width), nn.SiLU(), nn.Conv2d(width, content.channels, 3, padding=1))

    @classmethod
    def accepts(cls, content: Shape, condition: Shape | None) -> str | None:
        return labelled_picture(content, condition)

    @classmethod
    def sized(cls, content: Shape, condition: Shape | None, dial: float) -> VaeConfig:
        assert isinstance(content, Signal)
        latent = max(4, min(128, round(2 * math.sqrt(content.size))))
        return VaeConfig(width=max(8, 8 * round(4 * math.sqrt(dial))), latent=latent)

    def _given(self, n: int, condition: Tensor | None) -> list[Tensor]:
        if self.label is None:
            return []
        device = self.expand.weight.device
        return [self.label(torch.full((n,), NO_LABEL, device=device) if condition is None else condition)]

    def _posterior(self, batch: Batch, given: list[Tensor]) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.posterior(torch.cat([self.encoder(batch.content), *given], dim=1)).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)

    def _decode(self, latent: Tensor, given: list[Tensor]) -> Tensor:
        h = self.expand(torch.cat([latent, *given], dim=1)).view(-1, self._deep, *self._small)
        return self.decoder(h).float()  # type: ignore[no-any-return]

    def loss(self, batch: Batch, player: str) -> Tensor:
        """Negative evidence lower bound in nats a value."""
        given = self._given(len(batch.content), batch.condition)
        mean, log_variance = self._posterior(batch, given)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        error = F.mse_loss(self._decode(latent, given), batch.content)
        size = batch.content[0].numel()
        reconstruction = 0.5 * size * (error + 1e-4).log()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return (reconstruction + divergence) / size

    def sample(self, n: int, condition: Tensor | None, options: SampleOptions, prefix: Tensor | None = None) -> Tensor:
        assert isinstance(options, VaeOptions)
        if prefix is not None:
            raise ModelError("A VAE has no use for a prompt.", do="leave it out")
        latent = options.temperature * torch.randn(n, self.config.latent, device=self.expand.weight.device)
        return self.from_latent(latent, condition)

    def latent(self, batch: Batch) -> Tensor:
        return self._posterior(batch, self._given(len(batch.content), batch.condition))[0]

    def from_latent(self, latent: Tensor, condition: Tensor | None) -> Tensor:
        return self._decode(latent, self._given(len(latent), condition)).clamp(-1, 1)
