"""Deep convolutional GAN (Radford et al. 2015): strided convolutions instead of pooling, batch normalisation in both players
but where pictures leave the one and enter the other, ReLU in the generator and leaky ReLU in the critic, the original loss.

What is given enters the generator beside the noise and the critic by projection.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from genwright.core.shapes import Signal, Signature
from genwright.models.architectures.adversarial import Adversarial, AdversarialConfig, Player, halvings, not_halvable, projected
from genwright.models.architectures.base import architectures
from genwright.models.layers.conditioning import Conditioned, Conditioner


class DcganConfig(AdversarialConfig):
    width: int = Field(
        32, ge=8, multiple_of=8, description="channels nearest to the picture; they double inwards, up to eight times"
    )
    latent: int = Field(100, ge=1, description="dimensions of the noise")
    loss: Literal["relativistic", "original"] = "original"
    penalty: float = Field(0.0, ge=0, description="weight of the gradient penalties R1 and R2; the paper has none")


def _widths(config: DcganConfig, signature: Signature) -> list[int]:
    """Channels from the picture inwards."""
    return [config.width * min(2**level, 8) for level in range(halvings(signature))]


class Generator(Player):
    """Noise (n, latent), and what is given, to a picture in [-1, 1]."""

    def __init__(self, config: DcganConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        makes = signature.makes
        assert isinstance(makes, Signal)
        widths = _widths(config, signature)[::-1]
        self._start = (widths[0], *(a // 2 ** len(widths) for a in makes.axes))
        self.conditioner = Conditioner(signature, config.latent)
        self.expand = nn.Linear(config.latent * (2 if signature.given else 1), math.prod(self._start), bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for inner, outer in pairwise(widths):
            layers += [nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], makes.channels, 4, 2, 1), nn.Tanh())

    def forward(self, x: Tensor, given: Conditioned) -> Tensor:
        return self.net(self.expand(self.joined(x, given)).view(-1, *self._start))  # type: ignore[no-any-return]


class Critic(Player):
    """A picture, and what is given, to how real it looks (n,)."""

    def __init__(self, config: DcganConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        makes = signature.makes
        assert isinstance(makes, Signal)
        widths = _widths(config, signature)
        layers: list[nn.Module] = [nn.Conv2d(makes.channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for inner, outer in pairwise(widths):
            layers += [nn.Conv2d(inner, outer, 4, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, nn.Flatten())
        features = widths[-1] * math.prod(a // 2 ** len(widths) for a in makes.axes)
        self.head = nn.Linear(features, 1)
        self.conditioner = Conditioner(signature, config.width)
        self.fit = nn.Linear(features, config.width) if signature.given else None

    def forward(self, x: Tensor, given: Conditioned) -> Tensor:
        features = self.net(x)
        realness: Tensor = self.head(features).squeeze(1)
        return realness if self.fit is None else realness + projected(self.fit(features), given)


@architectures.register
class Dcgan(Adversarial):
    """Convolutional players as most people know them."""

    name = "dcgan"
    Config = DcganConfig
    Generator, Critic = Generator, Critic
    # Five times the rate of the paper: averaged weights do not follow the swings, and it learns several times faster.
    defaults = {"learning_rate": 1e-3, "batch_size": 64, "average": 0.99, "momentum": 0.5, "clip": 10.0, "decay": 0.0}

    def __init__(self, config: DcganConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(part.weight, std=0.02)
            elif isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.weight, 1.0, 0.02)

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        return not_halvable(signature)

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> DcganConfig:
        return DcganConfig(width=max(8, 8 * round(4 * math.sqrt(dial))))
