"""Transformer layers: pre-norm blocks (RMSNorm), rotary positions, normalised queries and keys, gated feed-forward.

The layout is that of current open language models (Vaswani et al. 2017; Zhang and Sennrich 2019; Su et al. 2021; Shazeer
2020; Henry et al. 2020), with output projections that begin at zero, so that every block begins as the identity.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEAD = 64  # dimensions of an attention head
SHORT = 512  # tokens up to which attention is written out when training on a CPU
_Pair = tuple[Tensor, Tensor]


class Cache:
    """Keys and values of the tokens a stack has read, with room for `room` of them, so that each is computed once.

    What it keeps of a source (for cross-attention) does not change while a sequence is written.
    """

    def __init__(self, room: int) -> None:
        self.room, self.seen = room, 0
        self._own: dict[int, _Pair] = {}
        self._source: dict[int, _Pair] = {}

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> _Pair:
        """Add the newest tokens' (n, heads, m, size) of one layer; returns those of all tokens so far."""
        if layer not in self._own:
            n, heads, _, size = keys.shape
            self._own[layer] = (keys.new_empty(n, heads, self.room, size), values.new_empty(n, heads, self.room, size))
        end = self.seen + keys.shape[2]
        for held, new in zip(self._own[layer], (keys, values), strict=True):
            held[:, :, self.seen : end] = new
        return self._own[layer][0][:, :, :end], self._own[layer][1][:, :, :end]

    def source(self, layer: int) -> _Pair | None:
        return self._source.get(layer)

    def keep_source(self, layer: int, pair: _Pair) -> None:
        self._source[layer] = pair

    def reorder(self, rows: Tensor) -> None:
        """Row i goes on from what row `rows[i]` has written; both must have the same source."""
        self._own = {layer: (keys[rows], values[rows]) for layer, (keys, values) in self._own.items()}


class SelfAttention(nn.Module):
    """(n, m, width) -> (n, m, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = _zero(nn.Linear(width, width, bias=False))

    def forward(self, x: Tensor, turns: _Pair, mask: Tensor | None, cache: Cache | None, layer: int) -> Tensor:
        q, k, v = (_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        q, k = turned(norm(q), turns), turned(norm(k), turns)
        if cache is not None:
            k, v = cache.extend(layer, k, v)
        return self.out(_joined(attend(q, k, v, mask)))  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Tokens (n, m, width) look at a source (n, s, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q, self.kv = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.out = _zero(nn.Linear(width, width, bias=False))

    def forward(self, x: Tensor, source: Tensor, mask: Tensor, cache: Cache | None, layer: int) -> Tensor:
        pair = cache.source(layer) if cache is not None else None
        if pair is None:
            k, v = (_heads(part) for part in self.kv(source).chunk(2, dim=-1))
            pair = norm(k), v
            if cache is not None:
                cache.keep_source(layer, pair)
        q, (k, v) = norm(_heads(self.q(x))), pair
        return self.out(_joined(attend(q, k, v, mask)))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """SwiGLU, 8/3 times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = 64 * round(width * 8 / 3 / 64)
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = _zero(nn.Linear(inner, width, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention, cross-attention where there is a source, and feed-forward, each added to what came in."""

    def __init__(self, width: int, dropout: float, *, cross: bool) -> None:
        super().__init__()
        self.attention = SelfAttention(width)
        self.cross = CrossAttention(width) if cross else None
        self.feed = FeedForward(width)
        self.drop = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, turns: _Pair, mask: Tensor | None, source: _Pair | None, cache: Cache | None, layer: int
    ) -> Tensor:
        x = x + self.drop(self.attention(norm(x), turns, mask, cache, layer))
        if self.cross is not None and source is not None:
            x = x + self.drop(self.cross(norm(x), *source, cache, layer))
        return x + self.drop(self.feed(norm(x)))  # type: ignore[no-any-return]


class Stack(nn.Module):
    """Blocks and a last norm over (n, m, width); `width` is a multiple of HEAD, positions go up to `room`."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, width: int, depth: int, room: int, dropout: float, *, cross: bool = False) -> None:
        super().__init__()
        self.room = room
        self.blocks = nn.ModuleList(Block(width, dropout, cross=cross) for _ in range(depth))
        angles = torch.outer(torch.arange(room), 10_000.0 ** -(torch.arange(0, HEAD, 2) / HEAD))
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def forward(self, x: Tensor, mask: Tensor | None = None, source: _Pair | None = None, cache: Cache | None = None) -> Tensor:
        """`mask` is added to the scores of attention (see `hidden`); without one no token sees a later one. `source` is what
        cross-attention looks at, with its mask. With a `cache`, x is what follows the tokens read so far: any number at
        first, then one."""
        x, m = _working(x), x.shape[1]
        at = cache.seen if cache is not None else 0
        turns = self.cosine[at : at + m].to(x.dtype), self.sine[at : at + m].to(x.dtype)
        if mask is None and m > 1:
            mask = hidden(torch.ones(m, m, dtype=torch.bool, device=x.device).triu(1))
        mask = None if mask is None else mask.to(x.dtype)
        if source is not None:
            source = source[0], source[1].to(x.dtype)
        for layer, block in enumerate(self.blocks):
            x = block(x, turns, mask, source, cache, layer)
        if cache is not None:
            cache.seen += m
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
