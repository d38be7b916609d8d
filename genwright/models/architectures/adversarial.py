"""What families share in which a generator and a critic play against each other.

The relativistic pairing loss with zero-centred gradient penalties on real and generated items converges where the original
one cycles or drops modes (R3GAN: Huang et al. 2024); the original one, by which the generator makes the critic take its items
for real (Goodfellow et al. 2014), is there for the families that are known by it. Both may see items through changes that can
be followed backwards (DiffAugment: Zhao et al. 2020), without which a critic learns a few hundred items by heart.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.batch import Batch
from genwright.core.draws import Draws
from genwright.core.shapes import Signal, Signature
from genwright.data.derivations.augmented import Augmented, AugmentedOptions
from genwright.models.architectures.base import Architecture, ArchitectureConfig, EmitOptions, not_a_picture
from genwright.models.layers.conditioning import Conditioned, Conditioner
from genwright.models.layers.unet import depth

MOST = 5  # halvings: pictures of 128 begin as 4 x 4


class AdversarialConfig(ArchitectureConfig):
    """Of every family of this kind."""

    width: int = Field(32, ge=8, description="units of a layer, or channels at full resolution")
    latent: int = Field(64, ge=1, description="dimensions of the noise")
    loss: Literal["relativistic", "original"] = "relativistic"
    penalty: float = Field(1.0, ge=0, description="weight of the gradient penalties R1 and R2")
    augment: float = Field(0.0, ge=0, le=1, description="chance of each change through which the critic sees pictures")


class Player(nn.Module):
    """A generator, from noise (n, latent) to items (n, *dims), or a critic, from items to how real they look (n,)."""

    conditioner: Conditioner

    def __init__(self, config: Any, signature: Signature) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, x: Tensor, given: Conditioned) -> Tensor:
        """What it makes of noise, or how real items look to it, given this."""

    def joined(self, noise: Tensor, given: Conditioned) -> Tensor:
        """(n, 2 * latent) noise and what is given; noise alone (n, latent) where nothing ever is. What is given weighs as much
        as a class that is told by a single one (Mirza and Osindero 2014): as heavy as the noise it drowns it, and all items of
        a kind become alike."""
        if not self.conditioner.ways:
            return noise
        return torch.cat([noise, given.vector / math.sqrt(given.vector.shape[1])], dim=1)


class Adversarial(Architecture):
    """A game of two players, which a family names."""

    Generator: ClassVar[type[Player]]
    Critic: ClassVar[type[Player]]
    Options = EmitOptions
    players = ("critic", "generator")
    config: AdversarialConfig

    def __init__(self, config: AdversarialConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        self.generator, self.critic = self.Generator(config, signature), self.Critic(config, signature)
        self._changes = self._augmented() if config.augment else None

    def _augmented(self) -> Augmented:
        """The changes through which the critic sees items; what lies on their grid beside them keeps its place. Raises
        ModelError where items are no pictures."""
        moved = {} if self.critic.conditioner.channels else {"shift": 0.125, "cut": 0.5}
        changes = Augmented(AugmentedOptions(chance=self.config.augment, colour=1.0, **moved))
        changes.shapes([self.makes])
        return changes

    @property
    def latent(self) -> Signal:
        return Signal(channels=self.config.latent, bounded=False)

    def loss(self, batch: Batch, player: str) -> Tensor:
        n, real = len(batch), batch.made
        noise = torch.randn(n, self.config.latent, device=real.device)
        fake = self.generator(noise, self.generator.conditioner(n, batch.given))
        given = self.critic.conditioner(n, batch.given)
        if player == "generator":
            score = self.critic(self._seen(fake), given)
            other = self.critic(self._seen(real), given) if self.config.loss == "relativistic" else 0.0
            return F.softplus(other - score).mean()
        real, fake = self._seen(real), self._seen(fake.detach())
        real, fake = (x.requires_grad_(self.config.penalty > 0) for x in (real, fake))
        real_score, fake_score = self.critic(real, given), self.critic(fake, given)
        paired = self.config.loss == "relativistic"
        lost = F.softplus(fake_score - real_score) if paired else F.softplus(fake_score) + F.softplus(-real_score)
        return lost.mean() + 0.5 * self.config.penalty * self._steepness(real_score + fake_score, [real, fake])

    def _steepness(self, scores: Tensor, items: list[Tensor]) -> Tensor:
        """How steep the critic is at items, squared, added up over real and generated ones."""
        if not self.config.penalty:
            return scores.new_zeros(())
        slopes = torch.autograd.grad(scores.sum(), items, create_graph=True)
        return torch.stack([slope.square().flatten(1).sum(dim=1).mean() for slope in slopes]).sum()

    def _seen(self, x: Tensor) -> Tensor:
        """Items as the critic sees them."""
        if self._changes is None or x.is_meta:  # as where only the cost is asked
            return x
        keys = torch.randint(2**62, (len(x),)).tolist()
        return self._changes.derive([x], Draws(((key,) for key in keys), x.device))[""]

    def read(self, n: int, given: object) -> Conditioned:
        """What the generator is given."""
        return self.generator.conditioner(n, given)  # type: ignore[no-any-return]

    def emit(self, latent: Tensor, given: Conditioned) -> Tensor:
        return self.generator(latent, given)  # type: ignore[no-any-return]


def halvings(signature: Signature) -> int:
    """How often a generator of pictures doubles their sides."""
    assert isinstance(signature.makes, Signal)
    return depth(signature.makes.axes, most=MOST)


def not_halvable(signature: Signature) -> str | None:
    """None where a signature makes pictures that can be halved evenly; else why it does not."""
    makes = signature.makes
    if (reason := not_a_picture(signature)) is not None:
        return reason
    assert isinstance(makes, Signal)
    if not makes.bounded:
        return "models pictures in [-1, 1], not latents"
    if not halvings(signature):
        return f"halves pictures again and again; {makes.axes[0]} x {makes.axes[1]} cannot be halved evenly"
    return None


def projected(features: Tensor, given: Conditioned) -> Tensor:
    """(n,) how well features (n, width) go with what is given (projection: Miyato and Koyama 2018)."""
    return torch.sum(features * given.vector, dim=1) / math.sqrt(features.shape[1])
