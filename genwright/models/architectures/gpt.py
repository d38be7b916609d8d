"""Decoder-only transformer that writes a sequence token by token (Radford et al. 2019, in today's layout)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from genwright.core.batch import Batch
from genwright.core.shapes import Signal, Signature, Tokens
from genwright.models.architectures.base import (
    Architecture,
    ArchitectureConfig,
    TokenOptions,
    architectures,
    not_a_text,
)
from genwright.models.layers.cache import Cache
from genwright.models.layers.conditioning import Conditioned, Conditioner
from genwright.models.layers.transformer import HEAD, Stack, counted, embedding, nats


class GptConfig(ArchitectureConfig):
    width: int = Field(256, ge=HEAD, multiple_of=HEAD, description="dimensions of a token")
    depth: int = Field(4, ge=1, description="blocks")


@architectures.register
class Gpt(Architecture):
    """Predicts every token from those before it. What is given, where it is no sequence, is added to every token."""

    name = "gpt"
    Config = GptConfig
    Options = TokenOptions
    defaults = {
        "learning_rate": 3e-3,
        "optimizer": "muon",
        "batch_size": 8,
        "weight_decay": 0.05,
        "average": 0.95,
        "precision": "bfloat16",
        "decay": 0.6,
    }
    config: GptConfig

    def __init__(self, config: GptConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        self.embedding = embedding(self.makes.vocab, config.width)
        self.conditioner = Conditioner(signature, config.width)
        self.stack = Stack(config.width, config.depth, self.makes.length, config.dropout)

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        shapes = [port.shape for port in signature.given.values()]
        if any(isinstance(s, Tokens) or (isinstance(s, Signal) and s.grid) for s in shapes):
            return not_a_text(signature) or "looks at no sequence or picture; seq2seq reads them"
        return not_a_text(signature)

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> GptConfig:
        """Parameters grow with `dial`, width and depth with its cube root."""
        side = dial ** (1 / 3)
        return GptConfig(width=HEAD * max(1, round(4 * side)), depth=max(1, round(4 * side)))

    def _embedded(self, tokens: Tensor, vector: Tensor | None) -> Tensor:
        x: Tensor = self.embedding(tokens) * self.config.width**0.5
        return x if vector is None or not self.signature.given else x + vector[:, None]

    def token_nll(self, batch: Batch) -> Tensor:
        """(n, length) nats of each token given those before it; 0 for the first token, PAD and BOS."""
        x = self.stack(self._embedded(batch.made[:, :-1], self.read(len(batch), batch.given).vector))
        return nats(F.linear(x, self.embedding.weight), batch.made)

    def loss(self, batch: Batch, player: str) -> Tensor:
        """Mean nats a token."""
        return self.token_nll(batch).sum() / counted(batch.made)

    def cache(self, slots: int) -> Cache:
        return Cache(slots, self.makes.length, self.embedding.weight.device)

    def begin(self, given: Conditioned, cache: Cache) -> None:
        self.stack.begin(cache, vector=given.vector)

    def logits(self, tokens: Tensor, cache: Cache) -> Tensor:
        x = self.stack.following(self._embedded(tokens, cache.given("vector")), cache)
        return F.linear(x[:, -1], self.embedding.weight)
