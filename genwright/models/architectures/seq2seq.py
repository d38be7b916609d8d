"""Encoder-decoder transformer: reads one sequence, writes another (Vaswani et al. 2017, in today's layout)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.shapes import BOS, EOS, PAD, Shape, Tokens
from genwright.data.dataset import Batch
from genwright.models.architectures.base import Architecture, ArchitectureConfig, SampleOptions, architectures
from genwright.models.layers.transformer import HEAD, Cache, Stack, embedding, hidden
from genwright.sampling import decoding

PIECE = 16  # rows of like length computed together


class Seq2seqConfig(ArchitectureConfig):
    width: int = Field(256, ge=HEAD, multiple_of=HEAD, description="dimensions of a token")
    depth: int = Field(3, ge=1, description="blocks of the encoder, and of the decoder")
    dropout: float = Field(0.2, ge=0, lt=1)
    smoothing: float = Field(0.1, ge=0, lt=1, description="share of the target spread over all tokens while training")


class Seq2seqOptions(SampleOptions):
    beams: int = Field(4, ge=1, le=32, description="hypotheses of the beam search; 1 with a temperature samples")
    penalty: float = Field(1.0, ge=0, le=2, description="of the beam search: 0 prefers short answers, more longer ones")
    temperature: float = Field(0.0, ge=0, le=2, description="with one beam: 0 takes the likeliest token, 1 samples")
    top_k: int = Field(0, ge=0, description="when sampling: draw from the likeliest k tokens only; 0: from all")
    top_p: float = Field(1.0, gt=0, le=1, description="when sampling: draw from the likeliest tokens of this share only")


@architectures.register
class Seq2seq(Architecture):
    """The encoder reads the condition, the decoder writes the content; regularised for small corpora (Araabi and Monz
    2020). An item without a condition has an empty one."""

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
    content: Tokens
    condition: Tokens

    def __init__(self, config: Seq2seqConfig, content: Tokens, condition: Tokens) -> None:
        super().__init__(config, content, condition)
        width, depth, dropout = config.width, config.depth, config.dropout
        self.source_embedding, self.embedding = embedding(condition.vocab, width), embedding(content.vocab, width)
        self.encoder = Stack(width, depth, condition.length, dropout)
        self.decoder = Stack(width, depth, content.length, dropout, cross=True)
        self.drop = nn.Dropout(dropout)

    @classmethod
    def accepts(cls, content: Shape, condition: Shape | None) -> str | None:
        if not isinstance(content, Tokens):
            return "writes sequences of tokens, nothing else"
        if not isinstance(condition, Tokens):
            return "needs a sequence to read as the condition"
        return None

    @classmethod
    def sized(cls, content: Shape, condition: Shape | None, dial: float) -> Seq2seqConfig:
        """Parameters grow with `dial`, width and depth with its cube root."""
        side = dial ** (1 / 3)
        return Seq2seqConfig(width=HEAD * max(1, round(4 * side)), depth=max(1, round(3 * side)))

    def _encode(self, n: int, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """The read condition (n, s, width) and what hides its padding (n, 1, 1, s)."""
        if condition is None:
            condition = torch.full((n, 1), EOS, dtype=torch.int64, device=self.embedding.weight.device)
        mask = hidden((condition == PAD)[:, None, None])
        x = self.drop(self.source_embedding(condition) * self.config.width**0.5)
        return self.encoder(x, mask), mask

    def _logits(
        self, tokens: Tensor, source: tuple[Tensor, Tensor], cache: Cache | None = None, *, last: bool = False
    ) -> Tensor:
        x = self.drop(self.embedding(tokens) * self.config.width**0.5)
        x = self.decoder(x, source=source, cache=cache)
        return F.linear(x[:, -1] if last else x, self.embedding.weight)

    def _nats(self, batch: Batch, smoothing: float) -> Tensor:
        nats = torch.zeros_like(batch.content, dtype=torch.float32)
        for rows, piece in _pieces(batch):
            targets = piece.content[:, 1:]
            logits = self._logits(piece.content[:, :-1], self._encode(len(targets), piece.condition))
            targets = targets.masked_fill(targets == BOS, PAD)
            found = F.cross_entropy(
                logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="none", label_smoothing=smoothing
            )
            found = F.pad(found.view_as(targets).float(), (1, nats.shape[1] - targets.shape[1] - 1))
            nats = nats.index_copy(0, rows, found)
        return nats

    def token_nll(self, batch: Batch) -> Tensor:
        """(n, length) nats of each token given the condition and the tokens before it; 0 for PAD and BOS."""
        return self._nats(batch, 0.0)

    def loss(self, batch: Batch, player: str) -> Tensor:
        """Mean nats a token, of smoothed targets while training (Szegedy et al. 2016)."""
        nats = self._nats(batch, self.config.smoothing if self.training else 0.0)
        targets = batch.content[:, 1:]
        return nats.sum() / ((targets != PAD) & (targets != BOS)).sum().clamp_min(1)

    def sample(self, n: int, condition: Tensor | None, options: SampleOptions, prefix: Tensor | None = None) -> Tensor:
        assert isinstance(options, Seq2seqOptions)
        length, beams = self.content.length, options.beams
        states, mask = self._encode(n, condition)
        start = decoding.begin(n, prefix, length, states.device)
        cache = Cache(length)
        if beams == 1:
            return decoding.sample(
                lambda tokens: self._logits(tokens, (states, mask), cache, last=True),
                start,
                length,
                temperature=options.temperature,
                top_k=options.top_k,
                top_p=options.top_p,
            )
        source = states.repeat_interleave(beams, dim=0), mask.repeat_interleave(beams, dim=0)
        return decoding.beam(
            lambda tokens: self._logits(tokens, source, cache, last=True),
            cache.reorder,
            start.repeat_interleave(beams, dim=0),
            length,
            beams=beams,
            penalty=options.penalty,
        )


def _pieces(batch: Batch) -> list[tuple[Tensor, Batch]]:
    """Rows of like length together, without the padding they share, which would cost most of the arithmetic."""
    content, condition = batch.content, batch.condition
    rows = torch.arange(len(content), device=content.device)
    if content.device.type == "meta":  # lengths are not known
        return [(rows, batch)]
    sizes = (content != PAD).sum(dim=1)
    given = torch.zeros_like(sizes) if condition is None else (condition != PAD).sum(dim=1)
    pieces = []
    for rows in (sizes + given).argsort(stable=True).chunk(max(1, len(content) // PIECE)):
        read = None if condition is None else condition[rows, : _round(given[rows])]
        pieces.append((rows, Batch(content[rows, : _round(sizes[rows])], read)))
    return pieces


def _round(sizes: Tensor) -> int:
    """The largest size, up to the next multiple of 8: few different shapes, so that few kernels are compiled and kept."""
    return -int(sizes.max()) // 8 * -8
