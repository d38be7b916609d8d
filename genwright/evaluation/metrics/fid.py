"""Frechet inception distance (Heusel et al. 2017), by an extractor that is learned from the training pictures."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import Signature
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.extractor import COMPONENTS, PATCH_FILTERS
from genwright.evaluation.look import applies
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured

FEWEST = 8 * COMPONENTS  # samples, and held-out items: of fewer a covariance says more of their number than of them
ROUNDS = 50  # resamples


@metrics.register
class Fid(Metric):
    """The squared Frechet distance of two normal distributions, with the means and covariances of samples and of held-out items
    in features of `evaluation/extractor.py`; never to be compared with one by another extractor, which `detail` names, or of
    other numbers: it is biased, and by how much depends on the model (Chong and Forsyth 2020). `kid` is not, and says more of
    few items."""

    name = "fid"
    better = "lower"
    memory = "coverage"
    compared = True
    minimum = samples = FEWEST
    sees = ("mean", "noise", "static", "normal", "blurred", "blended", "one class", "ten repeated", "other data")
    explain = "How far the samples are from unseen real pictures in mean and spread of shapes and texture; lower is better."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return applies(signature.makes)

    def measure(self, evaluand: Evaluand) -> Measured:
        held_out, samples = PATCH_FILTERS.of_side(evaluand, evaluand.held_out), PATCH_FILTERS.of_samples(evaluand)
        random = np.random.default_rng(evaluand.seed)

        def resampled(places: NDArray[np.intp]) -> float:
            return distance(samples[places], held_out[random.integers(0, len(held_out), len(held_out))])

        low, high = bootstrap(len(samples), resampled, seed=evaluand.seed, rounds=ROUNDS)
        return PATCH_FILTERS.compared(evaluand, self.name, (distance(samples, held_out), low, high), distance)


def distance(x: Tensor, y: Tensor) -> float:
    """Of features (n, d) and (m, d)."""
    x, y = x.double(), y.double()
    one, other = torch.cov(x.T), torch.cov(y.T)
    values, vectors = torch.linalg.eigh(one)
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ other @ root).clamp_min(0).sqrt().sum()
    return float((x.mean(dim=0) - y.mean(dim=0)).square().sum() + one.trace() + other.trace() - 2 * shared)
