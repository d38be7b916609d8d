"""Imitations that anyone can make without learning much: what a model has to beat before it is worth anything."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genwright.core.shapes import Signal
from genwright.data.feed import Side

KNOWN = 2000  # training items that imitations are made from


def mean(train: Side, n: int) -> Tensor:
    """(n, ...) the mean item, again and again."""
    items = _known(train)
    return items.mean(dim=0).expand(n, *items.shape[1:]).clone()


def noise(train: Side, n: int) -> Tensor:
    """(n, ...) values drawn evenly from all there are."""
    items = _known(train)
    return torch.rand(n, *items.shape[1:], generator=_generator()) * (items.max() - items.min()) + items.min()


def static(train: Side, n: int) -> Tensor:
    """(n, ...) values drawn one by one, with the mean and deviation each has among the training items."""
    items = _known(train)
    drawn = torch.randn(n, *items.shape[1:], generator=_generator())
    return _within(items.mean(dim=0) + items.std(dim=0) * drawn, train)


def normal(train: Side, n: int) -> Tensor:
    """(n, ...) items of the normal distribution with the mean and covariance of the training items."""
    items = _known(train)
    centre, flat = items.mean(dim=0), items.flatten(1)
    weights = torch.randn(n, len(items), generator=_generator()) / len(items) ** 0.5
    return _within((weights @ (flat - flat.mean(dim=0))).view(n, *centre.shape) + centre, train)


def blended(train: Side, n: int) -> Tensor:
    """(n, ...) means of two training items; of sequences, tokens of either."""
    items, generator = _known(train), _generator()
    first, second = (torch.randint(len(items), (n,), generator=generator) for _ in range(2))
    if not items.is_floating_point():
        return torch.where(torch.rand(n, items.shape[1], generator=generator) < 0.5, items[first], items[second])
    return (items[first] + items[second]) / 2


def nothing(train: Side, n: int) -> Tensor:
    """(3 n, ...) items that are of no kind: noise of two sorts, and what is close to the mean item; of sequences, tokens drawn
    evenly from all there are, and as they come in all items."""
    items = _known(train)
    if not items.is_floating_point():
        even = torch.randint(int(items.max()) + 1, (n, items.shape[1]), generator=_generator())
        mixed = torch.randint(items.numel(), (2 * n, items.shape[1]), generator=_generator())
        return torch.cat([even, items.flatten()[mixed]])
    dull = mean(train, n) + 0.1 * items.std() * torch.randn(n, *items.shape[1:], generator=_generator())
    return torch.cat([static(train, n), noise(train, n), _within(dull, train)])


IMITATIONS = (static, normal, blended)
"""Those that come nearest to real items."""


def _known(train: Side) -> Tensor:
    return train.contents(np.sort(train.subset(KNOWN)))


def _within(items: Tensor, train: Side) -> Tensor:
    """Nothing makes values that there cannot be."""
    makes = train.signature.makes
    return items.clamp(-1, 1) if isinstance(makes, Signal) and makes.bounded else items


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
