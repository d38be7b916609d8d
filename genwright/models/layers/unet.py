"""Convolutional blocks and a U-Net (Ronneberger et al. 2015) over grids of one, two or three axes, with an embedding (Ho et
al. 2020) and, where there is a sequence to look at, cross-attention to it (Rombach et al. 2022)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.models.layers.dropout import Dropout
from genwright.models.layers.silu import Silu
from genwright.models.layers.transformer import HEAD

Source = tuple[Tensor, Tensor]
"""A sequence (n, s, width) and what to add to attention's scores (n, 1, 1, s)."""

CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def conv(axes: int, inner: int, outer: int, size: int = 3, stride: int = 1) -> nn.Module:
    """A convolution over so many axes that keeps their length (or divides it by the stride)."""
    return CONVOLUTIONS[axes](inner, outer, size, stride=stride, padding=size // 2)


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, channels), channels)


def zero(module: nn.Module) -> nn.Module:
    """The module with all its parameters set to zero: a residual branch that begins as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def depth(axes: tuple[int, ...], smallest: int = 4, most: int = 3) -> int:
    """How often the axes can be halved evenly before one is smaller than `smallest`."""
    halvings = 0
    while halvings < most and all(a % 2 == 0 and a // 2 >= smallest for a in axes):
        axes, halvings = tuple(a // 2 for a in axes), halvings + 1
    return halvings


class ResidualBlock(nn.Module):
    """Two normalised convolutions with a skip; an embedding (n, embedding) scales and shifts between them."""

    def __init__(self, inner: int, outer: int, embedding: int = 0, dropout: float = 0.0, axes: int = 2) -> None:
        super().__init__()
        self.enter = nn.Sequential(norm(inner), Silu(), conv(axes, inner, outer))
        self.modulate = nn.Linear(embedding, 2 * outer) if embedding else None
        self.norm = norm(outer)
        self.leave = nn.Sequential(Silu(), Dropout(dropout), zero(conv(axes, outer, outer)))
        self.skip = conv(axes, inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        h = self.norm(self.enter(x))
        if self.modulate is not None and embedding is not None:
            modulation = self.modulate(embedding)
            scale, shift = modulation.view(*modulation.shape, *([1] * (x.ndim - 2))).chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return self.skip(x) + self.leave(h)  # type: ignore[no-any-return]


class GridAttention(nn.Module):
    """Self-attention over all places of a feature map, and cross-attention to a sequence of `source` dimensions."""

    def __init__(self, channels: int, source: int = 0, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.norm = heads, norm(channels)
        self.query_key_value = nn.Conv1d(channels, 3 * channels, 1)
        self.leave = zero(nn.Conv1d(channels, channels, 1))
        self.cross = SequenceAttention(channels, source) if source else None

    def forward(self, x: Tensor, source: Source | None = None) -> Tensor:
        n, c = x.shape[:2]
        flat = x.flatten(2)
        q, k, v = self.query_key_value(self.norm(flat)).view(n, 3, self.heads, c // self.heads, -1).transpose(3, 4).unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(n, c, -1)
        flat = flat + self.leave(mixed)
        if self.cross is not None and source is not None:
            flat = flat + self.cross(flat, source)
        return torch.reshape(flat, x.shape)


class SequenceAttention(nn.Module):
    """Places (n, channels, m) look at a sequence."""

    def __init__(self, channels: int, source: int) -> None:
        super().__init__()
        self.norm, self.heads = norm(channels), max(1, source // HEAD)
        self.q, self.kv = nn.Linear(channels, source, bias=False), nn.Linear(source, 2 * source, bias=False)
        self.leave = zero(nn.Linear(source, channels, bias=False))

    def forward(self, x: Tensor, source: Source) -> Tensor:
        sequence, mask = source
        q = self.q(self.norm(x).transpose(1, 2)).unflatten(2, (self.heads, -1)).transpose(1, 2)
        k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.kv(sequence).chunk(2, dim=-1))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(q.dtype))
        return self.leave(mixed.transpose(1, 2).flatten(2)).transpose(1, 2)  # type: ignore[no-any-return]


def wave(time: Tensor, size: int) -> Tensor:
    """(n, size) sinusoids of times in [0, 1] (Vaswani et al. 2017, with frequencies up to 1,000)."""
    frequencies = torch.exp(torch.linspace(0.0, math.log(1000.0), size // 2, device=time.device))
    angles = time[:, None] * frequencies[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class UNet(nn.Module):
    """(n, inner, *axes) -> (n, outer, *axes), given an embedding (n, embedding) and perhaps a sequence of `source`
    dimensions, which the two coarsest levels look at."""

    def __init__(
        self,
        inner: int,
        outer: int,
        axes: tuple[int, ...],
        width: int,
        embedding: int,
        *,
        blocks: int,
        dropout: float,
        source: int = 0,
    ) -> None:
        super().__init__()
        levels, over = depth(axes), len(axes)
        widths = [width * min(2**i, 4) for i in range(levels + 1)]
        self.enter = conv(over, inner, width)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, now = [width], width
        for level, wide in enumerate(widths):
            for _ in range(blocks):
                self.down.append(ResidualBlock(now, wide, embedding, dropout, over))
                now = wide
                skips.append(now)
            if level < levels:
                self.down.append(conv(over, now, now, stride=2))
                skips.append(now)
        self.middle = nn.ModuleList([ResidualBlock(now, now, embedding, dropout, over), GridAttention(now, source)])
        for level, wide in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                self.up.append(ResidualBlock(now + skips.pop(), wide, embedding, dropout, over))
                now = wide
            if source and level == levels and level:
                self.up.append(GridAttention(now, source))
            if level:
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), conv(over, now, now)))
        self.leave = nn.Sequential(norm(now), Silu(), zero(conv(over, now, outer)))

    def forward(self, x: Tensor, embedding: Tensor, source: Source | None = None) -> Tensor:
        h = self.enter(x)
        skips = [h]
        for layer in self.down:
            h = layer(h, embedding) if isinstance(layer, ResidualBlock) else layer(h)
            skips.append(h)
        block, attention = self.middle
        h = attention(block(h, embedding), source)
        for layer in self.up:
            if isinstance(layer, ResidualBlock):
                h = layer(torch.cat([h, skips.pop()], dim=1), embedding)
            else:
                h = layer(h, source) if isinstance(layer, GridAttention) else layer(h)
        return self.leave(h)  # type: ignore[no-any-return]
