"""Decoder-only transformer that writes a sequence token by token (Radford et al. 2019, in today's layout)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from genwright.core.shapes import BOS, NO_LABEL, PAD, Label, Shape, Tokens
from genwright.data.dataset import Batch
from genwright.models.architectures.base import Architecture, ArchitectureConfig, SampleOptions, architectures
from genwright.models.layers.label import LabelEmbedding
from genwright.models.layers.transformer import HEAD, Cache, Stack, embedding
from genwright.sampling import decoding


class GptConfig(ArchitectureConfig):
    width: int = Field(256, ge=HEAD, multiple_of=HEAD, description="dimensions of a token")
    depth: int = Field(4, ge=1, description="blocks")


class GptOptions(SampleOptions):
    temperature: float = Field(1.0, ge=0, le=2, description="0 takes the likeliest token every time")
    top_k: int = Field(0, ge=0, description="draw from the likeliest k tokens only; 0: from all")
    top_p: float = Field(0.95, gt=0, le=1, description="draw from the likeliest tokens that make up this share only")


@architectures.register
class Gpt(Architecture):
    """Predicts every token from those before it. A label, where there is one, is added to every token."""

    name = "gpt"
    Config = GptConfig
    Options = GptOptions
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
    content: Tokens

    def __init__(self, config: GptConfig, content: Tokens, condition: Shape | None) -> None:
        super().__init__(config, content, condition)
        self.embedding = embedding(content.vocab, config.width)
        self.label = LabelEmbedding(condition.classes, config.width) if isinstance(condition, Label) else None
        self.stack = Stack(config.width, config.depth, content.length, config.dropout)

    @classmethod
    def accepts(cls, content: Shape, condition: Shape | None) -> str | None:
        if not isinstance(content, Tokens):
            return "writes sequences of tokens, nothing else"
        if condition is not None and not isinstance(condition, Label):
            return "takes no condition but a label; seq2seq reads sequences"
        return None

    @classmethod
    def sized(cls, content: Shape, condition: Shape | None, dial: float) -> GptConfig:
        """Parameters grow with `dial`, width and depth with its cube root."""
        side = dial ** (1 / 3)
        return GptConfig(width=HEAD * max(1, round(4 * side)), depth=max(1, round(4 * side)))

    def _logits(self, tokens: Tensor, labels: Tensor | None, cache: Cache | None = None, *, last: bool = False) -> Tensor:
        x = self.embedding(tokens) * self.config.width**0.5
        if self.label is not None:
            given = torch.full((len(tokens),), NO_LABEL, device=tokens.device) if labels is None else labels
            x = x + self.label(given)[:, None]
        x = self.stack(x, cache=cache)
        return F.linear(x[:, -1] if last else x, self.embedding.weight)

    def token_nll(self, batch: Batch) -> Tensor:
        """(n, length) nats of each token given those before it; 0 for the first token, PAD and BOS."""
        targets = batch.content[:, 1:]
        logits = self._logits(batch.content[:, :-1], batch.condition)
        targets = targets.masked_fill(targets == BOS, PAD)
        nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="none")
        return F.pad(nats.view_as(targets).float(), (1, 0))

    def loss(self, batch: Batch, player: str) -> Tensor:
        """Mean nats a token."""
        targets = batch.content[:, 1:]
        return self.token_nll(batch).sum() / ((targets != PAD) & (targets != BOS)).sum().clamp_min(1)

    def sample(self, n: int, condition: Tensor | None, options: SampleOptions, prefix: Tensor | None = None) -> Tensor:
        assert isinstance(options, GptOptions)
        length = self.content.length
        start = decoding.begin(n, prefix, length, self.embedding.weight.device)
        cache = Cache(length)
        return decoding.sample(
            lambda tokens: self._logits(tokens, condition, cache, last=True),
            start,
            length,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
        )
