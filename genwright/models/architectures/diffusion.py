"""Denoising diffusion over grids (Ho et al. 2020), of pictures or of a codec's latents (Rombach et al. 2022).

Cosine schedule (Nichol and Dhariwal 2021); the network predicts v (Salimans and Ho 2022), which stays well scaled at
both ends of the schedule.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.batch import Batch
from genwright.core.shapes import Signal, Signature
from genwright.models.architectures.base import Architecture, ArchitectureConfig, DenoiseOptions, architectures
from genwright.models.layers.conditioning import Conditioned, Conditioner
from genwright.models.layers.silu import Silu, silu
from genwright.models.layers.unet import UNet, wave


class DiffusionConfig(ArchitectureConfig):
    width: int = Field(32, ge=8, multiple_of=8, description="channels at full resolution")
    blocks: int = Field(1, ge=1, description="residual blocks a level")
    reading: int = Field(2, ge=1, description="blocks that read a text or picture it is given")
    dropout: float = 0.1
    hide: float = Field(0.15, ge=0, lt=1, description="share of what is given that is hidden in training, for guidance")


@architectures.register
class Diffusion(Architecture):
    """A U-Net that learns to remove noise, run backwards from noise to a sample."""

    name = "diffusion"
    Config = DiffusionConfig
    Options = DenoiseOptions
    defaults = {"learning_rate": 2e-3, "batch_size": 128, "average": 0.995, "weight_decay": 0.01, "precision": "bfloat16"}
    config: DiffusionConfig

    def __init__(self, config: DiffusionConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        embedding = 4 * config.width
        self.time = nn.Sequential(nn.Linear(config.width, embedding), Silu(), nn.Linear(embedding, embedding))
        self.conditioner = Conditioner(
            signature,
            embedding,
            sequences=True,
            maps=True,
            reading=config.reading,
            dropout=config.dropout,
            drop=config.hide,
        )
        self.net = UNet(
            self.makes.channels + self.conditioner.channels,
            self.makes.channels,
            self.makes.axes,
            config.width,
            embedding,
            blocks=config.blocks,
            dropout=config.dropout,
            source=self.conditioner.inner if self.conditioner.reads else 0,
        )

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        makes = signature.makes
        if not isinstance(makes, Signal) or not makes.grid:
            return "models arrays over a grid (pictures, latents of pictures)"
        return None if len(makes.axes) <= 3 else "models arrays with up to three axes"

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> DiffusionConfig:
        return DiffusionConfig(width=max(8, 8 * round(4 * math.sqrt(dial))), blocks=1 if dial < 2 else 2)

    def loss(self, batch: Batch, player: str) -> Tensor:
        """Forward noising to a random time, then the squared error of v."""
        x = batch.made
        # Stratified times: one in each n-th of [0, 1], so that a batch sees the whole schedule.
        time = (torch.randperm(len(x), device=x.device) + torch.rand(len(x), device=x.device)) / len(x)
        noise = torch.randn_like(x)
        signal, sigma = (_along(level, x) for level in self.levels(time))
        target = signal * noise - sigma * x
        given = self.read(len(x), batch.given)
        return F.mse_loss(self._velocity(signal * x + sigma * noise, time, given).float(), target)

    def _velocity(self, x: Tensor, time: Tensor, given: Conditioned) -> Tensor:
        embedding = silu(self.time(wave(time, self.config.width)) + given.vector)
        x = x if given.aligned is None else torch.cat([x, given.aligned], dim=1)
        return self.net(x, embedding, given.source)  # type: ignore[no-any-return]

    def levels(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Of the cosine schedule; their squares add up to 1."""
        angle = time * (math.pi / 2)
        return angle.cos(), angle.sin()

    def clean(self, x: Tensor, time: Tensor, given: Conditioned) -> Tensor:
        signal, sigma = (_along(level, x) for level in self.levels(time))
        return signal * x - sigma * self._velocity(x, time, given).float()


def _along(level: Tensor, x: Tensor) -> Tensor:
    """(n,) levels as factors of x (n, ...)."""
    return level.view(-1, *([1] * (x.ndim - 1)))
