"""What families share that learn to remove noise, whatever the network: a schedule, a target, and how they are weighed.

Content c and noise n meet as `signal * c + sigma * n`. Schedules: cosine (Nichol and Dhariwal 2021), linear (Ho et al. 2020, in
continuous time: Song et al. 2021), sigmoid (Jabri et al. 2023), straight (Liu et al. 2023). Targets: the noise, the content, v
(Salimans and Ho 2022), and the flow from content to noise (Lipman et al. 2023). Of any of them the content follows.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from genwright.core.batch import Batch
from genwright.core.shapes import Signal, Signature
from genwright.models.architectures.base import Architecture, ArchitectureConfig, DenoiseOptions
from genwright.models.layers.conditioning import Conditioned

SLOPES = (0.1, 20.0)  # of the linear schedule: 1,000 times its first and last variance
SIGMOID = 3.0  # how far to either side the sigmoid schedule reaches


class DenoisingConfig(ArchitectureConfig):
    """Of every family of this kind."""

    dropout: float = 0.1
    hide: float = Field(0.15, ge=0, lt=1, description="share of what is given that is hidden in training, for guidance")
    reading: int = Field(2, ge=1, description="blocks that read a text or picture it is given")
    schedule: Literal["cosine", "linear", "sigmoid", "straight"] = "cosine"
    target: Literal["v", "noise", "content", "flow"] = Field("v", description="what the network tells of noised content")
    min_snr: float = Field(
        0.0,
        ge=0,
        description="bound of the signal-to-noise ratio by which times are weighed, e.g. 5 (Hang et al. 2023); 0: none",
    )
    times: Literal["even", "middle"] = Field(
        "even",
        description="times that are trained on: all alike, or more of those in the middle (logit-normal: Esser et al. 2024)",
    )


class Denoising(Architecture):
    """A network that is asked what is under the noise."""

    Options = DenoiseOptions
    config: DenoisingConfig

    @abstractmethod
    def predict(self, x: Tensor, time: Tensor, given: Conditioned) -> Tensor:
        """(n, *dims) the target at noised content x (n, *dims) and times (n,) in [0, 1]."""

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        makes = signature.makes
        if not isinstance(makes, Signal) or not makes.grid:
            return "models arrays over a grid (pictures, latents of pictures)"
        return None if len(makes.axes) <= 3 else "models arrays with up to three axes"

    def loss(self, batch: Batch, player: str) -> Tensor:
        """The squared error of the target at random times, weighed."""
        x = batch.made
        time = self._times(len(x), x.device)
        noise = torch.randn_like(x)
        signal, sigma = (_along(level, x) for level in self.levels(time))
        targets = {"v": signal * noise - sigma * x, "noise": noise, "content": x, "flow": noise - x}
        given = self.read(len(x), batch.given)
        told = self.predict(signal * x + sigma * noise, time, given).float()
        error = (told - targets[self.config.target]).square()
        return (error * self._weight(signal, sigma)).mean() if self.config.min_snr else error.mean()

    def _times(self, n: int, device: torch.device) -> Tensor:
        """(n,) stratified: one in each n-th of [0, 1], so that a batch sees the whole schedule."""
        even = (torch.randperm(n, device=device) + torch.rand(n, device=device)) / n
        if self.config.times == "even":
            return even
        return torch.sigmoid(torch.special.ndtri(even.clamp(1e-4, 1 - 1e-4)))

    def _weight(self, signal: Tensor, sigma: Tensor) -> Tensor:
        ratio = (signal / sigma.clamp_min(1e-4)).square()
        bounded = ratio.clamp_max(self.config.min_snr)
        scale = {"v": ratio + 1, "noise": ratio, "content": torch.ones_like(ratio), "flow": (1 + ratio.sqrt()).square()}
        return bounded / scale[self.config.target].clamp_min(1e-8)

    def levels(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """How much of content and of noise there is; but for the straight schedule their squares add up to 1."""
        if self.config.schedule == "cosine":
            angle = time * (math.pi / 2)
            return angle.cos(), angle.sin()
        if self.config.schedule == "straight":
            return 1 - time, time
        if self.config.schedule == "linear":
            low, high = SLOPES
            left = torch.exp(-(low * time + 0.5 * (high - low) * time.square()))
        else:
            first, last = (1 / (1 + math.exp(-end)) for end in (-SIGMOID, SIGMOID))
            left = (last - torch.sigmoid((2 * time - 1) * SIGMOID)) / (last - first)
        left = left.clamp(1e-8, 1.0)
        return left.sqrt(), (1 - left).clamp_min(0).sqrt()

    def clean(self, x: Tensor, time: Tensor, given: Conditioned) -> Tensor:
        signal, sigma = (_along(level, x) for level in self.levels(time))
        told = self.predict(x, time, given).float()
        if self.config.target == "content":
            return told
        if self.config.target == "noise":
            return (x - sigma * told) / signal.clamp_min(1e-4)
        if self.config.target == "flow":
            return (x - sigma * told) / (signal + sigma)
        return (signal * x - sigma * told) / (signal.square() + sigma.square())


def _along(level: Tensor, x: Tensor) -> Tensor:
    """(n,) levels as factors of x (n, ...)."""
    return level.view(-1, *([1] * (x.ndim - 1)))
