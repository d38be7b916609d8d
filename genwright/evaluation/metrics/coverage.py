"""Symmetric coverage (Khayatkhoei and AbdAlmageed 2023): is every kind of real item there among the samples?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import Signature
from genwright.evaluation import features
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.neighbours import flat, radius
from genwright.evaluation.records import Measured

MOST = 2000


@metrics.register
class Coverage(Metric):
    """The smaller of two shares of held-out items: those with a sample inside the ball that reaches their fifth nearest
    held-out neighbour (coverage: Naeem et al. 2020), and those inside such a ball around a sample (recall: Kynkaanniemi et
    al. 2019). Either alone is fooled where there are many dimensions: the mean of all items lies in every ball around an item,
    and wide noise has balls that hold everything. It does not see copies.

    As many samples as held-out items are used (more where those are only a share of what the model knows), so that the value
    does not rise with the number of samples. `detail` has both shares.
    """

    name = "coverage"
    better = "higher"
    explain = "Share of real, unseen items that have a sample much like them; low when kinds are missing."

    sign = "collapsed"
    sees = ("mean", "noise", "static", "normal", "faded", "blurred", "blended", "one class", "ten repeated", "other data")
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return features.applies(signature.makes)

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        narrow = measured.high < 0.3 * (measured.floor or 1.0)
        return f"the samples leave kinds out: coverage is {measured.value:.2f}" if narrow else None

    def measure(self, evaluand: Evaluand) -> Measured:
        held_out = features.held_out(evaluand, MOST)
        known = evaluand.data.tensors(f"{evaluand.held} coverage", lambda: _real(evaluand))
        samples = features.ruler(evaluand)(evaluand.samples[: round(len(held_out) / evaluand.share)].flatten(1))
        held = _held(samples, held_out, known["radius"])

        def smaller(rows: NDArray[np.intp]) -> float:
            return float(held[rows].mean(axis=0).min())

        value = smaller(np.arange(len(held)))
        low, high = bootstrap(len(held), smaller, seed=evaluand.seed)
        detail = {"covered": float(held[:, 0].mean()), "recalled": float(held[:, 1].mean())}
        return Measured(
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=len(held),
            floor=float(known["floor"]),
            naive=0.0,
            detail=detail,
        )


def _real(evaluand: Evaluand) -> dict[str, Tensor]:
    """`radius` (n,) of each held-out item's ball, and `floor`: what as many other real items get."""
    held_out = features.held_out(evaluand, MOST)
    real = features.ruler(evaluand)(flat(evaluand.reference, len(held_out)))
    reach = radius(held_out)
    return {"radius": reach, "floor": torch.tensor(_held(real, held_out, reach).mean(axis=0).min())}


def _held(samples: Tensor, held_out: Tensor, reach: Tensor) -> NDArray[np.float64]:
    """(n, 2) whether each held-out item has a sample in its ball, and whether it lies in the ball of a sample."""
    distances = torch.cdist(held_out, samples)
    covered = (distances < reach[:, None]).any(dim=1)
    recalled = (distances < radius(samples)[None]).any(dim=1)
    return torch.stack([covered, recalled], dim=1).double().numpy()
