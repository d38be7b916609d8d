"""Denoising diffusion over grids (Ho et al. 2020) by a U-Net, of pictures or of a codec's latents (Rombach et al. 2022)."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from genwright.core.shapes import Signature
from genwright.models.architectures.base import architectures
from genwright.models.architectures.denoising import Denoising, DenoisingConfig
from genwright.models.layers.conditioning import Conditioned, Conditioner
from genwright.models.layers.silu import Silu, silu
from genwright.models.layers.unet import UNet, wave


class DiffusionConfig(DenoisingConfig):
    width: int = Field(32, ge=8, multiple_of=8, description="channels at full resolution")
    blocks: int = Field(1, ge=1, description="residual blocks a level")


@architectures.register
class Diffusion(Denoising):
    """A U-Net that learns to remove noise, run backwards from noise to a sample."""

    name = "diffusion"
    Config = DiffusionConfig
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
    def sized(cls, signature: Signature, dial: float) -> DiffusionConfig:
        return DiffusionConfig(width=max(8, 8 * round(4 * math.sqrt(dial))), blocks=1 if dial < 2 else 2)

    def predict(self, x: Tensor, time: Tensor, given: Conditioned) -> Tensor:
        embedding = silu(self.time(wave(time, self.config.width)) + given.vector)
        x = x if given.aligned is None else torch.cat([x, given.aligned], dim=1)
        return self.net(x, embedding, given.source)  # type: ignore[no-any-return]
