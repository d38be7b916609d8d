"""The unbiased squared maximum mean discrepancy (Gretton et al. 2012) under any kernel, with its interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from genwright.evaluation.metrics.base import bootstrap

Kernel = Callable[[Tensor, Tensor], Tensor]
"""(n, d) and (m, d) to (n, m)."""


def discrepancy(x: Tensor, y: Tensor, kernel: Kernel, seed: int, rounds: int = 200) -> tuple[float, float, float]:
    """Times 1,000, with its 95 % bootstrap interval."""
    xx, yy, xy = kernel(x, x).numpy(), kernel(y, y).numpy(), kernel(x, y).numpy()
    np.fill_diagonal(xx, 0.0)
    np.fill_diagonal(yy, 0.0)
    n, m = len(x), len(y)

    def statistic(a: np.ndarray, b: np.ndarray) -> float:
        """The estimate with items weighted a and b: a resample is a weighting, so no kernel is taken twice."""
        own = (a @ xx @ a) / (a.sum() ** 2 - (a**2).sum()) + (b @ yy @ b) / (b.sum() ** 2 - (b**2).sum())
        return 1000 * float(own - 2 * (a @ xy @ b) / (a.sum() * b.sum()))

    random = np.random.default_rng(seed)

    def resampled(indices: np.ndarray) -> float:
        return statistic(
            np.bincount(indices, minlength=n).astype(np.float32),
            np.bincount(random.integers(0, m, m), minlength=m).astype(np.float32),
        )

    value = statistic(np.ones(n, dtype=np.float32), np.ones(m, dtype=np.float32))
    low, high = bootstrap(n, resampled, seed=seed, rounds=rounds)
    return value, min(low, value), max(high, value)
