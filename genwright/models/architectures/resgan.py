"""The improved DCGAN: residual players without normalisation that begin as near-identities (R3GAN: Huang et al. 2024), the
relativistic pairing loss with penalties on both sides, averaged weights, and a critic that sees pictures through changes.

What lies on the picture's own grid (a sketch, a mask, a low resolution) is read by convolutions and added to the generator's
features at every resolution, and laid beside the picture that the critic judges (after Isola et al. 2017).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.shapes import Signal, Signature
from genwright.models.architectures.adversarial import Adversarial, AdversarialConfig, Player, halvings, not_halvable, projected
from genwright.models.architectures.base import architectures
from genwright.models.layers.conditioning import Conditioned, Conditioner
from genwright.models.layers.unet import zero

SLOPE = 0.2  # of the leaky rectifiers


class ResganConfig(AdversarialConfig):
    width: int = Field(
        32, ge=8, multiple_of=8, description="channels nearest to the picture; they double inwards, up to four times"
    )
    latent: int = Field(64, ge=1, description="dimensions of the noise")
    penalty: float = Field(0.5, ge=0, description="weight of the gradient penalties R1 and R2")
    augment: float = Field(0.3, ge=0, le=1, description="chance of each change through which the critic sees pictures")


class Block(nn.Module):
    """Two convolutions and a skip around them; the second begins as nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(width, width, 3, padding=1)
        self.leave = zero(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.leave(F.leaky_relu(self.enter(F.leaky_relu(x, SLOPE)), SLOPE))  # type: ignore[no-any-return]


def _widths(config: ResganConfig, signature: Signature) -> list[int]:
    """Channels of every resolution, that of the picture first."""
    return [config.width * min(2**level, 4) for level in range(halvings(signature) + 1)]


class Halving(nn.ModuleList):
    """(n, channels, *axes) to features at every resolution, the finest first: a block, then half the axes."""

    def __init__(self, channels: int, widths: list[int]) -> None:
        super().__init__([nn.Sequential(nn.Conv2d(channels, widths[0], 3, padding=1), Block(widths[0]))])
        for inner, outer in pairwise(widths):
            self.append(nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inner, outer, 1), Block(outer)))

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for level in self:
            x = level(x)
            found.append(x)
        return found


class Generator(Player):
    """Noise (n, latent), and what is given, to a picture in [-1, 1]."""

    def __init__(self, config: ResganConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        makes = signature.makes
        assert isinstance(makes, Signal)
        widths = _widths(config, signature)
        self._start = (widths[-1], *(a // 2 ** (len(widths) - 1) for a in makes.axes))
        self.conditioner = Conditioner(signature, config.latent, maps=True)
        self.expand = nn.Linear(config.latent * (2 if signature.given else 1), math.prod(self._start))
        self.beside = Halving(self.conditioner.channels, widths) if self.conditioner.channels else None
        self.blocks = nn.ModuleList(Block(width) for width in reversed(widths))
        self.growing = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(inner, outer, 1))
            for inner, outer in pairwise(reversed(widths))
        )
        self.leave = nn.Conv2d(widths[0], makes.channels, 3, padding=1)

    def forward(self, x: Tensor, given: Conditioned) -> Tensor:
        h = self.expand(self.joined(x, given)).view(-1, *self._start)
        beside = None if self.beside is None else self.beside(given.aligned)[::-1]
        for level, block in enumerate(self.blocks):
            if level:
                h = self.growing[level - 1](h)
            h = block(h if beside is None else h + beside[level])
        return torch.tanh(self.leave(F.leaky_relu(h, SLOPE)))


class Critic(Player):
    """A picture, and what is given, to how real it looks (n,)."""

    def __init__(self, config: ResganConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        makes = signature.makes
        assert isinstance(makes, Signal)
        widths = _widths(config, signature)
        self.conditioner = Conditioner(signature, widths[-1], maps=True)
        self.net = Halving(makes.channels + self.conditioner.channels, widths)
        self.fit = nn.Linear(widths[-1] * math.prod(a // 2 ** (len(widths) - 1) for a in makes.axes), widths[-1])
        self.head = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor, given: Conditioned) -> Tensor:
        x = x if given.aligned is None else torch.cat([x, given.aligned], dim=1)
        features = F.leaky_relu(self.fit(F.leaky_relu(self.net(x)[-1], SLOPE).flatten(1)), SLOPE)
        realness: Tensor = self.head(features).squeeze(1)
        return realness + projected(features, given) if self.conditioner.ways else realness


@architectures.register
class Resgan(Adversarial):
    """Residual convolutional players."""

    name = "resgan"
    Config = ResganConfig
    Generator, Critic = Generator, Critic
    defaults = {"learning_rate": 5e-4, "batch_size": 64, "average": 0.998, "momentum": 0.0, "clip": 10.0}

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        return not_halvable(signature)

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> ResganConfig:
        return ResganConfig(width=max(8, 8 * round(3 * math.sqrt(dial))))
