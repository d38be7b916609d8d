"""Denoising diffusion by a transformer over patches (DiT: Peebles and Xie 2023), of pictures or of a codec's latents.

Time, and what is given as a vector, scale, shift and gate every block; a text or a picture that is read as a sequence is looked
at by cross-attention; what lies on the same grid is laid beside the noised content. Positions turn queries and keys along both
axes (after Su et al. 2021).
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from genwright.core.shapes import Signal, Signature
from genwright.models.architectures.base import architectures
from genwright.models.architectures.denoising import Denoising, DenoisingConfig
from genwright.models.layers.conditioning import Conditioned, Conditioner
from genwright.models.layers.dropout import Dropout
from genwright.models.layers.silu import Silu, silu
from genwright.models.layers.transformer import HEAD, CrossAttention, FeedForward, SelfAttention, norm
from genwright.models.layers.unet import Source, wave, zero

PATCHES = (1, 2, 4, 8)
MOST = 64  # patches of a picture, from which the size of a patch follows: four times as many take four times as long


class DitConfig(DenoisingConfig):
    width: int = Field(128, ge=HEAD, multiple_of=HEAD, description="dimensions of a patch's state")
    blocks: int = Field(4, ge=1, description="blocks one after the other")
    patch: int = Field(2, ge=1, description="side of a patch, which divides both axes")


class ModulatedBlock(nn.Module):
    """Self-attention, cross-attention where there is a source, and feed-forward; an embedding (n, width) says how much of
    each."""

    def __init__(self, width: int, source: int, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.attention, self.feed = SelfAttention(width), FeedForward(width)
        self.cross = CrossAttention(width, source) if source else None
        self.modulate = zero(nn.Linear(width, 6 * width))

    def forward(self, x: Tensor, embedding: Tensor, turns: tuple[Tensor, Tensor], source: Source | None) -> Tensor:
        scale, shift, gate, scale_feed, shift_feed, gate_feed = self.modulate(embedding)[:, None].chunk(6, dim=-1)
        x = x + (1 + gate) * self.drop(self.attention(norm(x) * (1 + scale) + shift, turns, None, None))
        if self.cross is not None and source is not None:
            x = x + self.drop(self.cross(norm(x), *self.cross.read(source[0]), source[1]))
        return x + (1 + gate_feed) * self.drop(self.feed(norm(x) * (1 + scale_feed) + shift_feed))  # type: ignore[no-any-return]


@architectures.register
class Dit(Denoising):
    """A transformer that learns to remove noise."""

    name = "dit"
    Config = DitConfig
    defaults = {
        **{"learning_rate": 1e-3, "batch_size": 128, "average": 0.995, "weight_decay": 0.01},
        **{"optimizer": "muon", "precision": "bfloat16"},
    }
    config: DitConfig
    cosine: Tensor
    sine: Tensor

    def __init__(self, config: DitConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        width, patch = config.width, config.patch
        self._rows, self._columns = (a // patch for a in self.makes.axes)
        self.conditioner = Conditioner(
            signature, width, sequences=True, maps=True, reading=config.reading, dropout=config.dropout, drop=config.hide
        )
        self.time = nn.Sequential(nn.Linear(width, width), Silu(), nn.Linear(width, width))
        self.enter = nn.Linear((self.makes.channels + self.conditioner.channels) * patch**2, width)
        source = self.conditioner.inner if self.conditioner.reads else 0
        self.blocks = nn.ModuleList(ModulatedBlock(width, source, config.dropout) for _ in range(config.blocks))
        self.modulate = zero(nn.Linear(width, 2 * width))
        self.head = zero(nn.Linear(width, self.makes.channels * patch**2))
        angles = _angles(self._rows, self._columns)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        if (reason := super().accepts(signature)) is not None:
            return reason
        assert isinstance(signature.makes, Signal)
        axes = signature.makes.axes
        if len(axes) != 2:
            return "models arrays with two axes"
        return (
            None
            if _patch(axes)
            else f"cuts both axes into equal patches, {MOST} at most; {axes[0]} x {axes[1]} cannot be cut so"
        )

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> DitConfig:
        assert isinstance(signature.makes, Signal)
        width = HEAD * max(1, round(2 * math.sqrt(dial)))
        return DitConfig(width=width, blocks=max(2, round(4 * math.sqrt(dial))), patch=_patch(signature.makes.axes))

    def predict(self, x: Tensor, time: Tensor, given: Conditioned) -> Tensor:
        x = x if given.aligned is None else torch.cat([x, given.aligned], dim=1)
        embedding = silu(self.time(wave(time, self.config.width)) + given.vector)
        h = self.enter(self._cut(x))
        turns = self.cosine.to(h.dtype), self.sine.to(h.dtype)
        source = None if given.source is None else (given.source[0].to(h.dtype), given.source[1].to(h.dtype))
        for block in self.blocks:
            h = block(h, embedding, turns, source)
        scale, shift = self.modulate(embedding)[:, None].chunk(2, dim=-1)
        return self._joined(self.head(norm(h) * (1 + scale) + shift))

    def _cut(self, x: Tensor) -> Tensor:
        """(n, channels, rows, columns) as patches (n, m, channels x side x side)."""
        n, channels, side = *x.shape[:2], self.config.patch
        cut = x.view(n, channels, self._rows, side, self._columns, side)
        return cut.permute(0, 2, 4, 1, 3, 5).reshape(n, self._rows * self._columns, -1)

    def _joined(self, x: Tensor) -> Tensor:
        """The way back."""
        n, side = len(x), self.config.patch
        cut = x.view(n, self._rows, self._columns, -1, side, side).permute(0, 3, 1, 4, 2, 5)
        return cut.reshape(n, self.makes.channels, self._rows * side, self._columns * side)


def _patch(axes: tuple[int, ...]) -> int:
    """The smallest side of a patch that cuts both axes evenly into few enough; 0 where there is none."""
    fitting = (side for side in PATCHES if all(a % side == 0 for a in axes) and math.prod(a // side for a in axes) <= MOST)
    return next(fitting, 0)


def _angles(rows: int, columns: int) -> Tensor:
    """(m, HEAD / 2) by which queries and keys are turned: half of the dimensions by the row, half by the column."""
    frequencies = 100.0 ** -(torch.arange(0, HEAD // 2, 2) / (HEAD // 2))
    along = [torch.outer(torch.arange(size).float(), frequencies) for size in (rows, columns)]
    return torch.cat([along[0].repeat_interleave(columns, dim=0), along[1].repeat(rows, 1)], dim=1)
