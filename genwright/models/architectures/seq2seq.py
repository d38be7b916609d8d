"""Encoder-decoder transformer: reads sequences, writes another (Vaswani et al. 2017, in today's layout)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from genwright.core.batch import Batch, Given
from genwright.core.shapes import PAD, Signal, Signature, Tokens
from genwright.models.architectures.base import (
    Architecture,
    ArchitectureConfig,
    TokenOptions,
    architectures,
    not_a_text,
)
from genwright.models.layers.cache import Cache
from genwright.models.layers.conditioning import Conditioned, Conditioner
from genwright.models.layers.dropout import Dropout
from genwright.models.layers.transformer import HEAD, Stack, counted, embedding, nats

PIECE = 16  # rows of like length computed together


class Seq2seqConfig(ArchitectureConfig):
    width: int = Field(256, ge=HEAD, multiple_of=HEAD, description="dimensions of a token")
    depth: int = Field(3, ge=1, description="blocks of the encoder, and of the decoder")
    dropout: float = Field(0.2, ge=0, lt=1)
    smoothing: float = Field(0.1, ge=0, lt=1, description="share of the target spread over all tokens while training")


class Seq2seqOptions(TokenOptions):
    temperature: float = Field(0.0, ge=0, le=2, description="with one beam: 0 takes the likeliest token, 1 draws")
    top_p: float = Field(1.0, gt=0, le=1, description="when drawing: from the likeliest tokens of this share only")
    beams: int = Field(4, ge=1, le=32, description="hypotheses of the beam search; 1 with a temperature draws")


@architectures.register
class Seq2seq(Architecture):
    """The encoder reads what is given, the decoder writes the content; regularised for small corpora (Araabi and Monz
    2020)."""

    name = "seq2seq"
    Config = Seq2seqConfig
    Options = Seq2seqOptions
    defaults = {
        "learning_rate": 3e-3,
        "optimizer": "muon",
        "batch_size": 64,
        "weight_decay": 0.05,
        "average": 0.95,
        "precision": "bfloat16",
        "decay": 0.6,
    }
    config: Seq2seqConfig

    def __init__(self, config: Seq2seqConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        width, depth, dropout = config.width, config.depth, config.dropout
        self.embedding = embedding(self.makes.vocab, width)
        self.conditioner = Conditioner(signature, width, sequences=True, reading=depth, dropout=dropout)
        self.decoder = Stack(width, depth, self.makes.length, dropout, source=self.conditioner.inner)
        self.drop = Dropout(dropout)
        self._read_as_tokens = [name for name, port in signature.given.items() if isinstance(port.shape, Tokens)]

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        shapes = [port.shape for port in signature.given.values()]
        if not any(isinstance(s, Tokens) or (isinstance(s, Signal) and s.grid) for s in shapes):
            return not_a_text(signature) or "needs a sequence or a picture to read"
        return not_a_text(signature)

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> Seq2seqConfig:
        """Parameters grow with `dial`, width and depth with its cube root."""
        side = dial ** (1 / 3)
        return Seq2seqConfig(width=HEAD * max(1, round(4 * side)), depth=max(1, round(3 * side)))

    def _embedded(self, tokens: Tensor, vector: Tensor | None) -> Tensor:
        x: Tensor = self.drop(self.embedding(tokens) * self.config.width**0.5)
        return x if vector is None or len(self.signature.given) == 1 else x + vector[:, None]

    def _nats(self, batch: Batch, smoothing: float) -> Tensor:
        found = torch.zeros_like(batch.made, dtype=torch.float32)
        for rows, piece in _pieces(batch, self._read_as_tokens):
            given = self.read(len(piece), piece.given)
            x = self.decoder(self._embedded(piece.made[:, :-1], given.vector), source=given.source)
            short = nats(F.linear(x, self.embedding.weight), piece.made, smoothing)
            found = found.index_copy(0, rows, F.pad(short, (0, found.shape[1] - short.shape[1])))
        return found

    def token_nll(self, batch: Batch) -> Tensor:
        """(n, length) nats of each token given what is read and the tokens before it; 0 for PAD and BOS."""
        return self._nats(batch, 0.0)

    def loss(self, batch: Batch, player: str) -> Tensor:
        """Mean nats a token, of smoothed targets while training (Szegedy et al. 2016)."""
        return self._nats(batch, self.config.smoothing if self.training else 0.0).sum() / counted(batch.made)

    def cache(self, slots: int) -> Cache:
        return Cache(slots, self.makes.length, self.embedding.weight.device)

    def begin(self, given: Conditioned, cache: Cache) -> None:
        self.decoder.begin(cache, given.source, vector=given.vector)

    def logits(self, tokens: Tensor, cache: Cache) -> Tensor:
        x = self.decoder.following(self._embedded(tokens, cache.given("vector")), cache)
        return F.linear(x[:, -1], self.embedding.weight)


def _pieces(batch: Batch, read: list[str]) -> list[tuple[Tensor, Batch]]:
    """Rows of like length together, without the padding they share, which would cost most of the arithmetic. `read` names
    the givens that are texts."""
    content = batch.made
    rows = torch.arange(len(content), device=content.device)
    if content.device.type == "meta":  # lengths are not known
        return [(rows, batch)]
    sizes = {name: _sizes(batch.given[name].value) for name in read if name in batch.given}
    own = _sizes(content)
    pieces = []
    for rows in sum(sizes.values(), own).argsort(stable=True).chunk(max(1, len(content) // PIECE)):
        piece = batch[rows]
        given = {
            name: Given(one.value[:, : _round(sizes[name][rows])], one.present) if name in sizes else one
            for name, one in piece.given.items()
        }
        pieces.append((rows, Batch(piece.made[:, : _round(own[rows])], given)))
    return pieces


def _sizes(tokens: Tensor) -> Tensor:
    """(n,) how many of them are no padding."""
    return (tokens != PAD).sum(dim=1)


def _round(sizes: Tensor) -> int:
    """The largest size, up to the next multiple of 8: few different shapes, so that few kernels are compiled and kept."""
    return max(8, -int(sizes.max()) // 8 * -8)
