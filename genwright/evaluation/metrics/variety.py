"""Does the model say many things, or the same thing again and again?"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np

from genwright.core.shapes import Signature, Tokens
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.passages import excerpts, written
from genwright.evaluation.records import Measured

MOST = 2000


@metrics.register
class Variety(Metric):
    """Distinct token pairs among all pairs (distinct-2: Li et al. 2016) of the samples, over the same of as many pieces
    of held-out items, cut to the same lengths. About 1 for text as varied as the data, near 0 for a model that repeats
    itself. It does not see whether the words make sense: noise has more variety than any text."""

    name = "variety"
    better = "higher"
    explain = "1 when the samples vary as much as real unseen texts do; far below 1 the model repeats itself."

    sign = "collapsed"
    sees = ("ten repeated",)
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return None if isinstance(signature.makes, Tokens) else "compares sequences"

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        return f"the samples leave kinds out: variety is {measured.value:.2f}" if measured.high < 0.3 else None

    def measure(self, evaluand: Evaluand) -> Measured:
        samples = [tokens.tolist() for tokens in written(evaluand.samples[:MOST])]
        held_out = excerpts(evaluand.held_out, [len(s) for s in samples])
        own, pairs = _distinct(samples[: len(held_out)])
        real, real_pairs = _distinct(held_out)
        floor = max(float(real.sum()) / max(1.0, float(real_pairs.sum())), 1e-9)

        def statistic(rows: np.ndarray) -> float:
            return float(own[rows].sum() / max(1.0, pairs[rows].sum())) / floor

        value = statistic(np.arange(len(own)))
        low, high = bootstrap(len(own), statistic, seed=evaluand.seed)
        detail = {"samples": value * floor, "held_out": floor}
        return Measured(
            value=value, low=min(low, value), high=max(high, value), n=len(own), floor=1.0, naive=0.0, detail=detail
        )


def _distinct(sequences: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """A sequence's part in the number of distinct pairs (a pair that occurs k times counts 1/k each time), and its pairs.

    Shares, rather than a recount, because resampling draws sequences twice and a recount would call that repetition."""
    counts = Counter(pair for sequence in sequences for pair in pairwise(sequence))
    shares = [sum(1 / counts[pair] for pair in pairwise(sequence)) for sequence in sequences]
    return np.array(shares), np.array([max(0, len(sequence) - 1) for sequence in sequences], dtype=np.float64)
