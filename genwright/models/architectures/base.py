"""What a family of models must offer. One file each in `architectures/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn

from genwright.core.plugins import Plugins
from genwright.core.record import Record
from genwright.core.shapes import Shape
from genwright.data.dataset import Batch


class ArchitectureConfig(Record):
    """Sizes and rates of one model; JSON in the bundle. Families add their own fields."""

    dropout: float = 0.0


class SampleOptions(Record):
    """Options of `sample` with defaults; a recipe or a caller overrides them. Families add their own fields."""


class Architecture(nn.Module, ABC):
    """A family of models over one content shape and at most one condition shape.

    All randomness comes from torch's global generator: the training loop reseeds it before every step and sampling
    before every batch, so that equal seeds give equal results.
    """

    name: ClassVar[str]
    Config: ClassVar[type[ArchitectureConfig]] = ArchitectureConfig
    Options: ClassVar[type[SampleOptions]] = SampleOptions
    players: ClassVar[tuple[str, ...]] = ("model",)
    defaults: ClassVar[dict[str, Any]] = {}  # fields of Plan this family prefers: learning_rate, optimizer, clip, ...

    def __init__(self, config: ArchitectureConfig, content: Shape, condition: Shape | None) -> None:
        super().__init__()
        self.config, self.content, self.condition = config, content, condition

    @classmethod
    @abstractmethod
    def accepts(cls, content: Shape, condition: Shape | None) -> str | None:
        """None, or the reason why the family cannot model this pair of shapes."""

    @classmethod
    @abstractmethod
    def sized(cls, content: Shape, condition: Shape | None, dial: float) -> ArchitectureConfig:
        """A config of which `dial` scales the width (and depth); 1 suits a laptop and a small data set."""

    def player(self, name: str) -> nn.Module:
        """The module whose parameters a player owns; a single player owns everything."""
        return self if self.players == ("model",) else self.get_submodule(name)

    @abstractmethod
    def loss(self, batch: Batch, player: str) -> Tensor:
        """The scalar loss of one player on a batch, a mean over its items."""

    @abstractmethod
    def sample(self, n: int, condition: Tensor | None, options: SampleOptions, prefix: Tensor | None = None) -> Tensor:
        """`n` samples: Signal as float32 (n, channels, *axes) in [-1, 1]; Tokens as int64 (n, length) ended by EOS and
        padded with PAD, BOS left out. `condition` has n rows of the condition's shape (Label: (n,), Tokens: (n, length))
        or is None; `prefix` (n, m) begins sequences and is repeated at the start of the result.
        Raises ModelError where the family has no use for a prefix."""


@runtime_checkable
class ScoresTokens(Protocol):
    """A family that assigns probabilities to sequences."""

    def token_nll(self, batch: Batch) -> Tensor:
        """(n, length) nats of each token of `batch.content` given those before it; 0 where it is PAD or BOS."""
        ...


@runtime_checkable
class HasLatent(Protocol):
    """A family with a latent space that can be walked."""

    def latent(self, batch: Batch) -> Tensor:
        """(n, d) latent means of the content."""
        ...

    def from_latent(self, latent: Tensor, condition: Tensor | None) -> Tensor:
        """Content (n, channels, *axes) of latents (n, d)."""
        ...


architectures: Plugins[Architecture] = Plugins("architectures", "genwright.models.architectures")


def build_model(family: str, config: dict[str, Any], content: Shape, condition: Shape | None) -> Architecture:
    """A freshly initialised model of that family."""
    kind = architectures.get(family)
    return kind(kind.Config.model_validate(config), content, condition)
