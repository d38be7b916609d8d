"""What a family of models must offer. One file each in this room.

A family says which signatures it takes, how one dial sizes it and what its loss is. How givens enter is the business of
`layers/conditioning.py`, how samples are drawn that of the sampling room: a family offers one of the small protocols
below, and holds neither code for a kind of given nor a sampling loop.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field, field_validator
from torch import Tensor, nn

from genwright.core.batch import Batch, Given
from genwright.core.errors import ModelError
from genwright.core.plugins import Plugins
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal, Signature, Tokens
from genwright.models.layers.cache import Cache
from genwright.models.layers.conditioning import Conditioned, Conditioner


class ArchitectureConfig(Record):
    """Sizes and rates of one model; JSON in the bundle. Families add their own fields."""

    dropout: float = 0.0


class SampleOptions(Record):
    """How samples are drawn, with defaults; a recipe or a caller overrides them. A family may change defaults."""


class TokenOptions(SampleOptions):
    """Of families that write token by token."""

    temperature: float = Field(1.0, ge=0, le=2, description="0 takes the likeliest token every time")
    top_k: int = Field(0, ge=0, description="draw from the likeliest k tokens only; 0: from all")
    top_p: float = Field(0.95, gt=0, le=1, description="draw from the likeliest tokens that make up this share only")
    beams: int = Field(1, ge=1, le=32, description="hypotheses of a beam search; 1 draws instead")
    penalty: float = Field(1.0, ge=0, le=2, description="of the beam search: 0 prefers short answers, more longer ones")
    most: int = Field(0, ge=0, description="tokens after which a row ends; 0: as many as the model can hold")


class DenoiseOptions(SampleOptions):
    """Of families that remove noise step by step."""

    steps: int = Field(20, ge=1, le=1000, description="denoising steps")
    sampler: Literal["ddim", "ddpm", "dpm", "heun"] = Field(
        "dpm", description="dpm (DPM-Solver++ 2M) and ddim add no noise, heun asks the network twice a step, ddpm adds noise"
    )
    guidance: float = Field(1.0, ge=0, le=20, description="1: as trained; above: closer to what is given, less varied")
    guided: tuple[float, float] = Field(
        (0.0, 1.0),
        description="times, from 0 (content) to 1 (noise), between which there is guidance (Kynkaanniemi et al. 2024)",
    )
    strength: float | None = Field(
        None,
        gt=0,
        le=1,
        description="how much of a start is redrawn; 1, as with a mask, leaves nothing of it but what is kept; else 0.6",
    )

    @field_validator("guided")
    @classmethod
    def _between(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] < value[1] <= 1:
            raise ValueError("expected two times between 0 and 1, the smaller one first")
        return value


class EmitOptions(SampleOptions):
    """Of families that make a sample of a latent in one go."""

    temperature: float = Field(1.0, ge=0, le=2, description="spread of the latents; below 1 more typical, less varied")


class Architecture(nn.Module, ABC):
    """A family of models over signatures.

    Randomness of training comes from torch's global generator, which the training loop reseeds before every step.
    """

    name: ClassVar[str]
    Config: ClassVar[type[ArchitectureConfig]] = ArchitectureConfig
    Options: ClassVar[type[SampleOptions]] = SampleOptions
    players: ClassVar[tuple[str, ...]] = ("model",)
    defaults: ClassVar[dict[str, Any]] = {}  # fields of Plan this family prefers: learning_rate, optimizer, clip, ...

    def __init__(self, config: ArchitectureConfig, signature: Signature) -> None:
        super().__init__()
        self.config, self.signature = config, signature

    @property
    def makes(self) -> Any:
        """The shape of what it makes."""
        return self.signature.makes

    @classmethod
    @abstractmethod
    def accepts(cls, signature: Signature) -> str | None:
        """None, or the reason why the family cannot model this signature."""

    @classmethod
    @abstractmethod
    def sized(cls, signature: Signature, dial: float) -> ArchitectureConfig:
        """A config of which `dial` scales the width (and depth); 1 suits a laptop and a small data set."""

    @classmethod
    def sought(cls, signature: Signature) -> tuple[str, float] | None:
        """A given that some items may lack, and the share of every batch that has it, at least: rows that have it come up more
        often where it is rare. None: rows come up alike."""
        return None

    def player(self, name: str) -> nn.Module:
        """The module whose parameters a player owns; a single player owns everything."""
        return self if self.players == ("model",) else self.get_submodule(name)

    @abstractmethod
    def loss(self, batch: Batch, player: str) -> Tensor:
        """The scalar loss of one player on a batch, a mean over its items."""

    def read(self, n: int, given: Mapping[str, Given]) -> Conditioned:
        """What `n` rows are given, ready for use: once a row, and once more with nothing given where there is guidance.
        By default that of the module called `conditioner`."""
        conditioner = self.get_submodule("conditioner")
        assert isinstance(conditioner, Conditioner)
        return conditioner(n, given)  # type: ignore[no-any-return]


@runtime_checkable
class ScoresTokens(Protocol):
    """A family that assigns probabilities to sequences."""

    def token_nll(self, batch: Batch) -> Tensor:
        """(n, length) nats of each token of the content given those before it; 0 where it is PAD or BOS."""
        ...


@runtime_checkable
class Decodes(Protocol):
    """A family that writes token by token."""

    def cache(self, slots: int) -> Cache:
        """Room for what `slots` rows are given and write."""
        ...

    def begin(self, given: Conditioned, cache: Cache) -> None:
        """The slots of the cache are those of new rows, which are given this."""
        ...

    def logits(self, tokens: Tensor, cache: Cache) -> Tensor:
        """(r, vocab) logits of what follows `tokens` (r, m), which go on what the r slots of the cache hold; they then hold
        these too."""
        ...


@runtime_checkable
class Denoises(Protocol):
    """A family that removes noise step by step."""

    def levels(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """How much of content and of noise there is at times (n,) in [0, 1], where 0 is all content and 1 all noise."""
        ...

    def clean(self, x: Tensor, time: Tensor, given: Conditioned) -> Tensor:
        """(n, *dims) estimate of the content in x (n, *dims); every row has its own time (n,)."""
        ...


@runtime_checkable
class Emits(Protocol):
    """A family that makes a sample of a latent in one go."""

    @property
    def latent(self) -> Signal:
        """The shape of its latents, standard normal over the data."""
        ...

    def emit(self, latent: Tensor, given: Conditioned) -> Tensor:
        """(n, *dims) content of latents (n, *latent dims)."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """A family that turns columns into codes: a codec, or an encoder of texts or pictures."""

    decodable: frozenset[str]  # columns with a way back from their code

    @property
    def codes(self) -> dict[str, Shape]:
        """The column that can be encoded to the shape of its code; what the model makes is called `content`."""
        ...

    def encode(self, column: str, value: Tensor) -> Tensor:
        """(n, ...) codes of a column."""
        ...

    def decode(self, column: str, code: Tensor) -> Tensor:
        """(n, ...) the column back. Raises ModelError where there is no way back."""
        ...


architectures: Plugins[Architecture] = Plugins("architectures", "genwright.models.architectures")


def build_model(family: str, config: dict[str, Any], signature: Signature) -> Architecture:
    """A freshly initialised model of that family."""
    kind = architectures.get(family)
    return kind(kind.Config.model_validate(config), signature)


def not_a_picture(signature: Signature) -> str | None:
    """None where a signature makes arrays over rows and columns; else why it does not."""
    makes = signature.makes
    return None if isinstance(makes, Signal) and makes.picture else "models arrays with two axes (pictures)"


def not_a_text(signature: Signature) -> str | None:
    """None where a signature makes sequences of tokens; else why it does not."""
    return None if isinstance(signature.makes, Tokens) else "writes sequences of tokens, nothing else"


def encoder(model: Architecture) -> Encodes:
    """The model as one that encodes. Raises ModelError where it does not."""
    if not isinstance(model, Encodes):
        raise ModelError(f"{model.name} encodes nothing.", do="name a codec or an encoder, e.g. a vae")
    return model
