"""Convolutional blocks and a U-Net (Ronneberger et al. 2015) with time and condition embeddings (Ho et al. 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
    """Two normalised 3x3 convolutions with a skip; an embedding (n, embedding) scales and shifts between them."""

    def __init__(self, inner: int, outer: int, embedding: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.enter = nn.Sequential(norm(inner), nn.SiLU(), nn.Conv2d(inner, outer, 3, padding=1))
        self.modulate = nn.Linear(embedding, 2 * outer) if embedding else None
        self.norm = norm(outer)
        self.leave = nn.Sequential(nn.SiLU(), nn.Dropout(dropout), zero(nn.Conv2d(outer, outer, 3, padding=1)))
        self.skip = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        h = self.norm(self.enter(x))
        if self.modulate is not None and embedding is not None:
            scale, shift = self.modulate(embedding)[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return self.skip(x) + self.leave(h)  # type: ignore[no-any-return]


class SpatialAttention(nn.Module):
    """Self-attention over all positions of a feature map."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.norm = heads, norm(channels)
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1)
        self.leave = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = self.query_key_value(self.norm(x)).view(n, 3, self.heads, c // self.heads, h * w).transpose(3, 4).unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(n, c, h, w)
        return x + self.leave(mixed)  # type: ignore[no-any-return]


def wave(time: Tensor, size: int) -> Tensor:
    """(n, size) sinusoids of times in [0, 1] (Vaswani et al. 2017, with frequencies up to 1,000)."""
    frequencies = torch.exp(torch.linspace(0.0, math.log(1000.0), size // 2, device=time.device))
    angles = time[:, None] * frequencies[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class UNet(nn.Module):
    """(n, channels, h, w) -> (n, channels, h, w), given an embedding (n, embedding)."""

    def __init__(self, channels: int, axes: tuple[int, ...], width: int, embedding: int, blocks: int, dropout: float) -> None:
        super().__init__()
        levels = depth(axes)
        widths = [width * min(2**i, 4) for i in range(levels + 1)]
        self.enter = nn.Conv2d(channels, width, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, now = [width], width
        for level, wide in enumerate(widths):
            for _ in range(blocks):
                self.down.append(ResidualBlock(now, wide, embedding, dropout))
                now = wide
                skips.append(now)
            if level < levels:
                self.down.append(nn.Conv2d(now, now, 3, stride=2, padding=1))
                skips.append(now)
        self.middle = nn.ModuleList([ResidualBlock(now, now, embedding, dropout), SpatialAttention(now)])
        for level, wide in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                self.up.append(ResidualBlock(now + skips.pop(), wide, embedding, dropout))
                now = wide
            if level:
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(now, now, 3, padding=1)))
        self.leave = nn.Sequential(norm(now), nn.SiLU(), zero(nn.Conv2d(now, channels, 3, padding=1)))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.enter(x)
        skips = [h]
        for layer in self.down:
            h = layer(h, embedding) if isinstance(layer, ResidualBlock) else layer(h)
            skips.append(h)
        block, attention = self.middle
        h = attention(block(h, embedding))
        for layer in self.up:
            h = layer(torch.cat([h, skips.pop()], dim=1), embedding) if isinstance(layer, ResidualBlock) else layer(h)
        return self.leave(h)  # type: ignore[no-any-return]
