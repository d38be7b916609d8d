"""Density (Naeem et al. 2020): do samples lie where real items lie close together?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import Signature
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.extractor import PATCH_FILTERS
from genwright.evaluation.look import applies
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.neighbours import NEIGHBOURS, radius
from genwright.evaluation.records import Measured


@metrics.register
class Density(Metric):
    """How many of the balls around held-out items, which reach to the fifth nearest other, hold a sample, over the five that
    hold a real one on average; in features of `evaluation/extractor.py`. It is the other side of `coverage`: what only repeats
    the commonest kind is dense, and may be above 1."""

    name = "density"
    better = "higher"
    sees = ("noise", "static", "other data")
    explain = "How far samples look like the bulk of unseen real pictures; about 1 for real ones, more for what is too typical."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return applies(signature.makes)

    def measure(self, evaluand: Evaluand) -> Measured:
        held_out, samples = PATCH_FILTERS.of_side(evaluand, evaluand.held_out), PATCH_FILTERS.of_samples(evaluand)
        counts = _counts(samples, held_out)

        def mean(places: NDArray[np.intp]) -> float:
            return float(counts[places].mean())

        low, high = bootstrap(len(counts), mean, seed=evaluand.seed)
        known = evaluand.data.tensors(
            f"{evaluand.held} density",
            lambda: {"floor": torch.tensor(_counts(PATCH_FILTERS.of_side(evaluand, evaluand.reference), held_out).mean())},
        )
        value = mean(np.arange(len(counts)))
        detail = PATCH_FILTERS.declared(evaluand)
        return Measured(value=value, low=low, high=high, n=len(counts), floor=float(known["floor"]), detail=detail)


def _counts(samples: Tensor, held_out: Tensor) -> NDArray[np.float64]:
    """(n,) balls that each sample lies in, over NEIGHBOURS."""
    inside = torch.cdist(samples, held_out) < radius(held_out)[None]
    return inside.sum(dim=1).double().div(min(NEIGHBOURS, len(held_out) - 1)).numpy()
