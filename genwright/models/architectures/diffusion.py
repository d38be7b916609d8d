"""Denoising diffusion over arrays (DDPM: Ho et al. 2020; DDIM: Song et al. 2021), with classifier-free guidance.

Cosine schedule (Nichol and Dhariwal 2021); the network predicts v (Salimans and Ho 2022), which stays well scaled at
both ends of the schedule.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.errors import ModelError
from genwright.core.shapes import NO_LABEL, Label, Shape, Signal, labelled_picture
from genwright.data.dataset import Batch
from genwright.models.architectures.base import Architecture, ArchitectureConfig, SampleOptions, architectures
from genwright.models.layers.label import LabelEmbedding
from genwright.models.layers.unet import UNet, wave


class DiffusionConfig(ArchitectureConfig):
    width: int = Field(32, ge=8, multiple_of=8, description="channels at full resolution")
    blocks: int = Field(1, ge=1, description="residual blocks a level")
    dropout: float = 0.1
    unconditional: float = Field(0.15, ge=0, lt=1, description="share of labels dropped in training, for guidance")


class DiffusionOptions(SampleOptions):
    steps: int = Field(30, ge=1, le=1000, description="denoising steps")
    sampler: Literal["ddim", "ddpm"] = "ddim"
    guidance: float = Field(1.0, ge=0, le=20, description="1: as trained; above: closer to the condition, less varied")


@architectures.register
class Diffusion(Architecture):
    """A U-Net that learns to remove noise, run backwards from noise to a sample."""

    name = "diffusion"
    Config = DiffusionConfig
    Options = DiffusionOptions
    defaults = {"learning_rate": 2e-3, "batch_size": 128, "average": 0.995, "weight_decay": 0.01, "precision": "bfloat16"}
    config: DiffusionConfig

    def __init__(self, config: DiffusionConfig, content: Signal, condition: Shape | None) -> None:
        super().__init__(config, content, condition)
        embedding = 4 * config.width
        self.time = nn.Sequential(nn.Linear(config.width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.label = (
            LabelEmbedding(condition.classes, embedding, config.unconditional) if isinstance(condition, Label) else None
        )
        self.net = UNet(content.channels, content.axes, config.width, embedding, config.blocks, config.dropout)

    @classmethod
    def accepts(cls, content: Shape, condition: Shape | None) -> str | None:
        return labelled_picture(content, condition)

    @classmethod
    def sized(cls, content: Shape, condition: Shape | None, dial: float) -> DiffusionConfig:
        return DiffusionConfig(width=max(8, 8 * round(4 * math.sqrt(dial))), blocks=1 if dial < 2 else 2)

    def loss(self, batch: Batch, player: str) -> Tensor:
        """Forward noising to a random time, then the squared error of v."""
        x = batch.content
        # Stratified times: one in each n-th of [0, 1], so that a batch sees the whole schedule.
        time = (torch.randperm(len(x), device=x.device) + torch.rand(len(x), device=x.device)) / len(x)
        noise = torch.randn_like(x)
        signal, sigma = _levels(time, x.ndim)
        target = signal * noise - sigma * x
        return F.mse_loss(self._velocity(signal * x + sigma * noise, time, batch.condition).float(), target)

    def _velocity(self, x: Tensor, time: Tensor, condition: Tensor | None) -> Tensor:
        embedding = self.time(wave(time, self.config.width))
        if self.label is not None:
            labels = torch.full((len(x),), NO_LABEL, device=x.device) if condition is None else condition
            embedding = embedding + self.label(labels)
        return self.net(x, F.silu(embedding))  # type: ignore[no-any-return]

    def _guided(self, x: Tensor, time: Tensor, condition: Tensor | None, guidance: float) -> Tensor:
        velocity = self._velocity(x, time, condition)
        if guidance == 1.0 or self.label is None or condition is None:
            return velocity
        free = self._velocity(x, time, None)
        return free + guidance * (velocity - free)

    def sample(self, n: int, condition: Tensor | None, options: SampleOptions, prefix: Tensor | None = None) -> Tensor:
        """Reverse sampling: DDIM takes the straight way, DDPM adds fresh noise at every step."""
        assert isinstance(options, DiffusionOptions)
        assert isinstance(self.content, Signal)
        if prefix is not None:
            raise ModelError("Diffusion has no use for a prompt.", do="leave it out")
        device = next(self.parameters()).device
        x = torch.randn(n, *self.content.dims, device=device)
        times = torch.linspace(1.0, 0.0, options.steps + 1, device=device).clamp(1e-3, 1 - 1e-3)
        for now, after in pairwise(times):
            signal, sigma = _levels(now, 0)
            velocity = self._guided(x, now.expand(n), condition, options.guidance).float()
            clean = (signal * x - sigma * velocity).clamp(-1, 1)
            noise = (x - signal * clean) / sigma
            next_signal, next_sigma = _levels(after, 0)
            if options.sampler == "ddim" or after == times[-1]:
                x = next_signal * clean + next_sigma * noise
            else:  # ancestral step: the posterior variance of DDPM
                kept = signal / next_signal
                fresh = (next_sigma / sigma * (1 - kept**2).sqrt()).clamp(max=next_sigma)
                x = next_signal * clean + (next_sigma**2 - fresh**2).clamp(min=0).sqrt() * noise + fresh * torch.randn_like(x)
        return clean


def _levels(time: Tensor, ndim: int) -> tuple[Tensor, Tensor]:
    """Signal and noise levels at times in [0, 1] of the cosine schedule; their squares add up to 1."""
    angle = time * (math.pi / 2)
    if ndim:
        angle = angle.view(-1, *([1] * (ndim - 1)))
    return angle.cos(), angle.sin()
