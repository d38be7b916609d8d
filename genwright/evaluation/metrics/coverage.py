"""Density and coverage (Naeem et al. 2020): is every kind of real item there among the samples?"""

from __future__ import annotations

import torch
from torch import Tensor

from genwright.core.shapes import Signature
from genwright.evaluation import features
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.neighbours import flat
from genwright.evaluation.records import Measured

NEIGHBOURS = 5
MOST = 2000


@metrics.register
class Coverage(Metric):
    """Share of held-out items with a sample inside the ball that reaches their fifth nearest held-out neighbour.

    `detail.density` is how many such balls a sample lies in, against the number expected. As many samples as held-out
    items are used (more where those are only a share of what the model knows), so that the value does not rise with the
    number of samples.
    """

    name = "coverage"
    better = "higher"
    explain = "Share of real, unseen items that have a sample much like them; low when kinds are missing."

    sign = "collapsed"

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
        radius = known["radius"]
        samples = features.ruler(evaluand)(evaluand.samples[: round(len(held_out) / evaluand.share)].flatten(1))
        inside = torch.cdist(samples, held_out) < radius
        covered = inside.any(dim=0).float().numpy()
        low, high = bootstrap(len(covered), lambda i: float(covered[i].mean()), seed=evaluand.seed)
        return Measured(
            value=float(covered.mean()),
            low=low,
            high=high,
            n=len(covered),
            floor=float(known["floor"]),
            detail={"density": float(inside.float().sum(dim=1).mean() / NEIGHBOURS)},
        )


def _real(evaluand: Evaluand) -> dict[str, Tensor]:
    """`radius` (n,) of each held-out item's ball, and `floor`: what as many training items would cover."""
    held_out = features.held_out(evaluand, MOST)
    train = features.ruler(evaluand)(flat(evaluand.dataset.train, len(held_out)))
    radius = torch.cdist(held_out, held_out).kthvalue(min(NEIGHBOURS + 1, len(held_out)), dim=1).values
    return {"radius": radius, "floor": (torch.cdist(train, held_out) < radius).any(dim=0).float().mean()}
