"""Which of many is the right partner: codes of pairs compared, and how often the right one is nearest among a hundred."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from genwright.core.batch import Given
from genwright.models.architectures.base import Encodes

POOL = 100  # among how many the right one is looked for
MOST = 1000  # pairs that are compared
PIECE = 128  # rows encoded together


@dataclass(frozen=True)
class Found:
    """`first` (n,) is how often, among a pool with the right partner in it, that is the nearest: the exact mean over all
    pools that others could make. `better` (n,) is the share of all others that are at least as near. Both are means of the
    two directions."""

    first: NDArray[np.float64]
    better: NDArray[np.float64]
    pool: int

    @property
    def chance(self) -> float:
        return 1 / self.pool


def found(one: Tensor, other: Tensor, alike: NDArray[np.bool_]) -> Found:
    """Of codes (n, d) of pairs. `alike` (n, n): whose given is the very same, which are no wrong partners. As near as the
    right one counts as nearer, so that codes which do not tell anything apart find nothing."""
    scores = (F.normalize(one.double(), dim=1) @ F.normalize(other.double(), dim=1).T).numpy()
    n = len(scores)
    pool = min(POOL, n)
    wrong = ~(alike | np.eye(n, dtype=np.bool_))
    right = scores.diagonal()
    nearer = [((scores >= right[:, None]) & wrong).sum(axis=1), ((scores >= right[None]) & wrong).sum(axis=0)]
    others = wrong.sum(axis=1)
    first = np.mean([_none_of(count, others, pool - 1) for count in nearer], axis=0)
    better = np.mean([count / np.maximum(others, 1) for count in nearer], axis=0)
    return Found(first, better, pool)


def _none_of(nearer: NDArray[np.int64], others: NDArray[np.int64], drawn: int) -> NDArray[np.float64]:
    """(n,) the chance that of `drawn` others none is among the nearer ones (hypergeometric)."""
    steps = np.arange(drawn)[None]
    left = np.clip(others[:, None] - nearer[:, None] - steps, 0, None)
    return np.asarray((left / np.clip(others[:, None] - steps, 1, None)).clip(0, 1).prod(axis=1))


def encoded(model: Encodes, column: str, values: Tensor, device: str) -> Tensor:
    """(n, d) codes of a column, on the CPU."""
    with torch.no_grad():
        return torch.cat([model.encode(column, piece.to(device)).float().cpu() for piece in torch.split(values, PIECE)])


def alike(given: Given) -> NDArray[np.bool_]:
    """(n, n) whose values are equal."""
    flat = given.value.flatten(1).numpy()
    keys = np.array([row.tobytes() for row in flat], dtype=object)
    return np.asarray(keys[:, None] == keys[None], dtype=np.bool_)
