"""Transformer layers: pre-norm blocks (RMSNorm), rotary positions, normalised queries and keys, gated feed-forward.

The layout is that of current open language models (Vaswani et al. 2017; Zhang and Sennrich 2019; Su et al. 2021; Shazeer
2020; Henry et al. 2020), with output projections that begin at zero, so that every block begins as the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.shapes import BOS, PAD
from genwright.models.layers.cache import Cache
from genwright.models.layers.dropout import Dropout
from genwright.models.layers.silu import silu

HEAD = 64  # dimensions of an attention head
SHORT = 512  # tokens up to which attention is written out when training on a CPU
_Pair = tuple[Tensor, Tensor]


class SelfAttention(nn.Module):
    """(n, m, width) -> (n, m, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = _zero(nn.Linear(width, width, bias=False))

    def forward(self, x: Tensor, turns: _Pair, mask: Tensor | None, held: _Held | None) -> Tensor:
        q, k, v = (_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        q, k = turned(norm(q), turns), turned(norm(k), turns)
        if held is not None:
            k, v = held.cache.extend(held.layer, k, v, held.at)
        return self.out(_joined(attend(q, k, v, mask)))  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Tokens (n, m, width) look at the keys and values of a source (n, s, source)."""

    def __init__(self, width: int, source: int) -> None:
        super().__init__()
        self.q, self.kv = nn.Linear(width, width, bias=False), nn.Linear(source, 2 * width, bias=False)
        self.out = _zero(nn.Linear(width, width, bias=False))

    def read(self, source: Tensor) -> _Pair:
        """Keys and values (n, heads, s, size), the same for every token that looks."""
        k, v = (_heads(part) for part in self.kv(source).chunk(2, dim=-1))
        return norm(k), v

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        return self.out(_joined(attend(norm(_heads(self.q(x))), keys, values, mask)))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """SwiGLU, 8/3 times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = 64 * round(width * 8 / 3 / 64)
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = _zero(nn.Linear(inner, width, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(silu(gate) * up)  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention, cross-attention where there is a source, and feed-forward, each added to what came in."""

    def __init__(self, width: int, dropout: float, source: int) -> None:
        super().__init__()
        self.attention = SelfAttention(width)
        self.cross = CrossAttention(width, source) if source else None
        self.feed = FeedForward(width)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, turns: _Pair, mask: Tensor | None, source: _Pair | None, held: _Held | None) -> Tensor:
        x = x + self.drop(self.attention(norm(x), turns, mask, held))
        if self.cross is not None and (look := self._source(source, held)) is not None:
            x = x + self.drop(self.cross(norm(x), *look))
        return x + self.drop(self.feed(norm(x)))  # type: ignore[no-any-return]

    def _source(self, source: _Pair | None, held: _Held | None) -> tuple[Tensor, Tensor, Tensor] | None:
        """Keys, values and mask of what cross-attention looks at: read now, or held since the rows began."""
        if held is not None:
            return held.source
        return None if source is None or self.cross is None else (*self.cross.read(source[0]), source[1])


@dataclass(frozen=True)
class _Held:
    """Where one layer finds what came before, and the places (n, m) of what comes now."""

    cache: Cache
    at: Tensor
    layer: int

    @property
    def source(self) -> tuple[Tensor, Tensor, Tensor] | None:
        names = f"{self.layer}.keys", f"{self.layer}.values", "mask"
        keys, values, mask = (self.cache.given(name) for name in names)
        return None if keys is None or values is None or mask is None else (keys, values, mask.to(keys.dtype))


class Stack(nn.Module):
    """Blocks and a last norm over (n, m, width); `width` is a multiple of HEAD, positions go up to `room`, `source` is the
    width of what cross-attention looks at (0: none)."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, width: int, depth: int, room: int, dropout: float, *, source: int = 0) -> None:
        super().__init__()
        self.room = room
        self.blocks = nn.ModuleList(Block(width, dropout, source) for _ in range(depth))
        angles = torch.outer(torch.arange(room), 10_000.0 ** -(torch.arange(0, HEAD, 2) / HEAD))
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def forward(self, x: Tensor, mask: Tensor | None = None, source: _Pair | None = None) -> Tensor:
        """`mask` is added to the scores of attention (see `hidden`); without one no token sees a later one. `source` is what
        cross-attention looks at, with its mask."""
        x, m = _working(x), x.shape[1]
        if mask is None and m > 1:
            mask = hidden(torch.ones(m, m, dtype=torch.bool, device=x.device).triu(1))
        return self._run(x, (self.cosine[:m], self.sine[:m]), mask, source)

    def begin(self, cache: Cache, source: _Pair | None = None, **given: Tensor) -> None:
        """New rows in the slots of a cache, which will look at that source. `given`: what else is kept of them."""
        kept = {}
        if source is not None:
            x = _working(source[0])
            for layer, block in enumerate(self.blocks):
                assert isinstance(block, Block)
                assert block.cross is not None
                kept[f"{layer}.keys"], kept[f"{layer}.values"] = block.cross.read(x)
            kept["mask"] = source[1]
        cache.begin(**kept, **given)

    def following(self, x: Tensor, cache: Cache) -> Tensor:
        """The same of (r, m, width) that follow what the r slots of the cache hold; they then hold it too."""
        x, m = _working(x), x.shape[1]
        at = cache.places(m)
        turns = self.cosine[at][:, None], self.sine[at][:, None]
        x = self._run(x, turns, hidden(~cache.visible(at)), None, cache, at)
        cache.advance(m)
        return x

    def _run(
        self,
        x: Tensor,
        turns: _Pair,
        mask: Tensor | None,
        source: _Pair | None,
        cache: Cache | None = None,
        at: Tensor | None = None,
    ) -> Tensor:
        turns = turns[0].to(x.dtype), turns[1].to(x.dtype)
        mask = None if mask is None else mask.to(x.dtype)
        if source is not None:
            source = source[0].to(x.dtype), source[1].to(x.dtype)
        for layer, block in enumerate(self.blocks):
            held = None if cache is None or at is None else _Held(cache, at, layer)
            x = block(x, turns, mask, source, held)
        return norm(x)


def hidden(where: Tensor) -> Tensor:
    """What to add to the scores of attention: -inf where something must not be seen, else 0."""
    return torch.zeros(where.shape, device=where.device).masked_fill(where, -torch.inf)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention over (n, heads, m, size)."""
    if q.device.type == "cpu" and torch.is_grad_enabled() and k.shape[2] <= SHORT:
        # PyTorch's fused kernel takes two to five times as long backwards at these lengths.
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        scores = scores if mask is None else scores + mask
        return torch.matmul(scores.softmax(dim=-1).to(v.dtype), v)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def turned(x: Tensor, turns: _Pair) -> Tensor:
    """(n, heads, m, size) with pairs of dimensions turned by their position's angles."""
    cosine, sine = turns
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cosine - b * sine, b * cosine + a * sine], dim=-1)


def _working(x: Tensor) -> Tensor:
    """x in the precision autocast asks for: once for a whole stack, where otherwise every layer converts its input."""
    kind = x.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return x.to(torch.get_autocast_dtype(kind))
    return x


def embedding(vocab: int, width: int) -> nn.Embedding:
    """Token embeddings that also serve as the output matrix: small, so that first predictions are nearly even."""
    table = nn.Embedding(vocab, width)
    nn.init.normal_(table.weight, std=0.02)
    return table


def _heads(x: Tensor) -> Tensor:
    n, m, width = x.shape
    return x.view(n, m, width // HEAD, HEAD).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def norm(x: Tensor) -> Tensor:
    """RMSNorm over the last axis, without weights: the linear layer that follows has its own."""
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


def _zero(linear: nn.Linear) -> nn.Linear:
    nn.init.zeros_(linear.weight)
    return linear


def nats(logits: Tensor, tokens: Tensor, smoothing: float = 0.0) -> Tensor:
    """(n, length) nats of each of `tokens` (n, length) under logits (n, length - 1, vocab) of all but the first; 0 for the
    first token, PAD and BOS."""
    targets = tokens[:, 1:].masked_fill(tokens[:, 1:] == BOS, PAD)
    found = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="none", label_smoothing=smoothing
    )
    return F.pad(found.view_as(targets).float(), (1, 0))


def counted(tokens: Tensor) -> Tensor:
    """How many tokens `nats` counts, at least 1."""
    targets = tokens[:, 1:]
    return ((targets != PAD) & (targets != BOS)).sum().clamp_min(1)
