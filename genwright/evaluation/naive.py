"""Imitations that anyone can make without learning much: what a model has to beat before it is worth anything."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from genwright.evaluation import features
from genwright.evaluation.evaluand import Evaluand

SEED = 0


def pictures(evaluand: Evaluand, n: int) -> Iterator[Tensor]:
    """(n, d) features of: the normal distribution with the mean and covariance of the training items (probabilistic PCA:
    Tipping and Bishop 1999), which in whitened components is the standard one; values drawn one by one with the mean and
    deviation each has among the training items; and the means of two training items."""
    ruler, train = features.ruler(evaluand), evaluand.dataset.train
    generator = torch.Generator().manual_seed(SEED)
    yield torch.randn(n, ruler.basis.shape[1], generator=generator)
    flat = train.contents(np.sort(train.subset(features.MOST // 4))).flatten(1)
    mean, deviation = flat.mean(dim=0), flat.std(dim=0)
    yield ruler((mean + deviation * torch.randn(n, len(mean), generator=generator)).clamp(-1, 1))
    first, second = (torch.randint(len(flat), (n,), generator=generator) for _ in range(2))
    yield ruler((flat[first] + flat[second]) / 2)


def values(evaluand: Evaluand, n: int) -> Tensor:
    """(n, ...) items whose values were drawn one by one, with the mean and deviation each has among the training items."""
    train = evaluand.dataset.train
    items = train.contents(np.sort(train.subset(features.MOST // 4)))
    noise = torch.randn(n, *items.shape[1:], generator=torch.Generator().manual_seed(SEED))
    return (items.mean(dim=0) + items.std(dim=0) * noise).clamp(-1, 1)
