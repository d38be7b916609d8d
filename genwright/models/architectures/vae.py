"""Variational autoencoder (Kingma and Welling 2014) with the optimal observation noise (sigma-VAE: Rybkin et al. 2021).

The reconstruction term sums over all values and uses the noise that explains the batch best, so that there is no weight
to tune between it and the KL term. Samples carry no observation noise.

With `patch` 2 the first convolution halves the picture and the last makes two by two values of every place (sub-pixel
convolution: Shi et al. 2016): most of the arithmetic would be at full resolution, and buys least there.

With `spatial` the latent is a grid, an eighth to a half as long as the content along every axis: as a codec, for models
over its latents (Rombach et al. 2022).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.batch import Batch
from genwright.core.shapes import Shape, Signal, Signature
from genwright.models.architectures.base import Architecture, ArchitectureConfig, EmitOptions, architectures, not_a_picture
from genwright.models.layers.conditioning import Conditioned, Conditioner, fitted
from genwright.models.layers.silu import Silu
from genwright.models.layers.unet import ResidualBlock, conv, depth, norm

LEAST = 1e-4  # variance of the observation noise


class VaeConfig(ArchitectureConfig):
    width: int = Field(32, ge=8, multiple_of=8, description="channels of the outermost blocks; they double further in")
    patch: Literal[1, 2] = Field(
        1, description="pixels a side that the outermost blocks see as one; 1 where sides cannot be halved evenly"
    )
    latent: int = Field(16, ge=1, description="latent dimensions, or channels of a latent grid")
    spatial: int = Field(0, ge=0, le=3, description="0: a flat latent; else how often the axes of its grid are halved")
    kl: float = Field(
        1.0,
        ge=0,
        description="weight of the latents' divergence from a standard normal (beta: Higgins et al. 2017); small for a codec",
    )
    free: float = Field(
        0.0, ge=0, description="nats a latent dimension may tell for nothing, so that none falls silent (Kingma et al. 2016)"
    )
    noise: Literal["optimal", "learned"] = Field(
        "optimal",
        description="observation noise: the one that explains a batch best, or one for every value, told by the decoder",
    )
    detail: float = Field(0.0, ge=0, description="weight of how far details are off at every scale (Bojanowski et al. 2018)")
    dropout: float = 0.0
    hide: float = Field(0.1, ge=0, lt=1, description="share of what is given that is hidden in training")


@architectures.register
class Vae(Architecture):
    """A convolutional encoder to a Gaussian latent and a decoder back."""

    name = "vae"
    Config = VaeConfig
    Options = EmitOptions
    defaults = {"learning_rate": 2e-3, "batch_size": 128, "average": 0.99, "weight_decay": 0.01, "precision": "bfloat16"}
    decodable = frozenset({"content"})
    config: VaeConfig

    def __init__(self, config: VaeConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        axes, width = self.makes.axes, config.width
        levels = config.spatial or depth(axes)
        patch = config.patch if levels else 1
        widths = [width * min(2**i, 4 // patch) for i in range(levels + 2 - patch)]
        self._small = tuple(a // 2**levels for a in axes)
        self._deep = widths[-1]
        self.conditioner = Conditioner(signature, width, drop=config.hide)
        given = width if signature.given else 0
        down: list[nn.Module] = [conv(2, self.makes.channels, width, stride=patch), ResidualBlock(width, width)]
        for a, b in pairwise(widths):
            down += [conv(2, a, b, stride=2), ResidualBlock(b, b, dropout=config.dropout)]
        self.encoder = nn.Sequential(*down, norm(self._deep), Silu())
        up: list[nn.Module] = [ResidualBlock(self._deep, self._deep, dropout=config.dropout)]
        for a, b in pairwise(reversed(widths)):
            up += [nn.Upsample(scale_factor=2), conv(2, a, b), ResidualBlock(b, b, dropout=config.dropout)]
        told = self.makes.channels * (2 if config.noise == "learned" else 1)
        self.decoder = nn.Sequential(*up, norm(width), Silu(), conv(2, width, patch**2 * told), nn.PixelShuffle(patch))
        if config.spatial:
            self.posterior: nn.Module = conv(2, self._deep + given, 2 * config.latent, 1)
            self.expand: nn.Module = conv(2, config.latent + given, self._deep)
        else:
            flat = self._deep * math.prod(self._small)
            self.posterior = nn.Linear(flat + given, 2 * config.latent)
            self.expand = nn.Linear(config.latent + given, flat)

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        return not_a_picture(signature)

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> VaeConfig:
        assert isinstance(signature.makes, Signal)
        latent = max(4, min(128, round(2 * math.sqrt(signature.makes.size))))
        return VaeConfig(width=max(8, 8 * round(8 * math.sqrt(dial))), patch=2, latent=latent)

    @property
    def latent(self) -> Signal:
        if not self.config.spatial:
            return Signal(channels=self.config.latent, bounded=False)
        return Signal(channels=self.config.latent, axes=self._small, over=self.makes.over, bounded=False)

    @property
    def codes(self) -> dict[str, Shape]:
        """The content, as the mean of its latent."""
        return {"content": self.latent}

    def encode(self, column: str, value: Tensor) -> Tensor:
        return self._posterior(value, self.read(len(value), {}))[0]

    def decode(self, column: str, code: Tensor) -> Tensor:
        return self.emit(code, self.read(len(code), {}))

    def _joined(self, x: Tensor, given: Conditioned) -> Tensor:
        """x (n, channels, ...) with what is given beside it, at every place."""
        if not self.signature.given:
            return x
        vector = given.vector.view(*given.vector.shape, *([1] * (x.ndim - 2)))
        return torch.cat([x, vector.expand(-1, -1, *x.shape[2:])], dim=1)

    def _posterior(self, content: Tensor, given: Conditioned) -> tuple[Tensor, Tensor]:
        h = self.encoder(content)
        h = h if self.config.spatial else h.flatten(1)
        mean, log_variance = self.posterior(self._joined(h, given)).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)

    def _decode(self, latent: Tensor, given: Conditioned) -> Tensor:
        """(n, channels, ...), or twice as many: the log variances after the values."""
        h = self.expand(self._joined(latent, given))
        h = h if self.config.spatial else h.view(-1, self._deep, *self._small)
        return self.decoder(h).float()  # type: ignore[no-any-return]

    def loss(self, batch: Batch, player: str) -> Tensor:
        """Negative evidence lower bound in nats a value, and what `detail` weighs."""
        given = self.read(len(batch), batch.given)
        mean, log_variance = self._posterior(batch.made, given)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        told, size = self._decode(latent, given), int(self.makes.size)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(dim=0).clamp_min(self.config.free).sum()
        loss = self._reconstruction(told, batch.made) + self.config.kl * divergence / size
        if self.config.detail:
            loss = loss + self.config.detail * _off(told[:, : self.makes.channels], batch.made)
        return loss

    def _reconstruction(self, told: Tensor, real: Tensor) -> Tensor:
        """Nats a value, up to a constant."""
        if self.config.noise == "optimal":
            return 0.5 * (F.mse_loss(told, real) + LEAST).log()
        made, log_variance = told.chunk(2, dim=1)
        log_variance = log_variance.clamp(math.log(LEAST), 2)
        return 0.5 * (log_variance + (made - real).square() * (-log_variance).exp()).mean()

    def emit(self, latent: Tensor, given: Conditioned) -> Tensor:
        made = self._decode(latent, given)[:, : self.makes.channels]
        return made.clamp(-1, 1) if self.makes.bounded else made


def _off(made: Tensor, real: Tensor) -> Tensor:
    """How far details are off: the mean distance between the levels of two Laplacian pyramids (Burt and Adelson 1983), in which
    every level is what the next, half as large, does not say. Blur is far off in the finest ones, which squares hardly mind."""
    total, levels = made.new_zeros(()), depth(tuple(made.shape[2:])) + 1
    for _ in range(levels):
        axes = tuple(made.shape[2:])
        small = tuple(max(1, a // 2) for a in axes)
        (made, rest), (real, wanted) = (_halved(x, small, axes) for x in (made, real))
        total = total + (rest - wanted).abs().mean()
    return total / levels


def _halved(x: Tensor, small: tuple[int, ...], axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Half as large, and what that leaves out."""
    less = fitted(x, small)
    return less, x - F.interpolate(less, size=axes, mode="nearest")
