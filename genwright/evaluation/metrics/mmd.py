"""Maximum mean discrepancy between samples and held-out items (Gretton et al. 2012; KID's estimator, Binkowski 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from genwright.core.shapes import Signature
from genwright.evaluation import features
from genwright.evaluation import naive as imitations
from genwright.evaluation.discrepancy import discrepancy
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, metrics
from genwright.evaluation.neighbours import flat
from genwright.evaluation.records import Measured

MOST = 2000  # items a side
FEWEST = 500  # naive items


@metrics.register
class Mmd(Metric):
    """Unbiased squared discrepancy, times 1,000, under a sum of Gaussian kernels in whitened components. It sees whatever
    moves the distribution: blur, fading, noise, missing and other kinds; not that items are copies, nor that a kind among
    several comes up too rarely, if it does come up."""

    name = "mmd"
    better = "lower"
    memory = "coverage"  # the distance to earlier items also grows when new kinds are learned
    explain = "How far the samples as a whole are from real items never seen in training; about 0 for more real items."

    rank = 1
    sees = ("mean", "noise", "static", "normal", "faded", "blurred", "blended", "one class", "ten repeated", "other data")
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return features.applies(signature.makes)

    def measure(self, evaluand: Evaluand) -> Measured:
        held_out = features.held_out(evaluand, MOST)
        samples = features.ruler(evaluand)(evaluand.samples[:MOST].flatten(1))
        value, low, high = discrepancy(samples, held_out, _kernel, evaluand.seed)
        known = evaluand.data.tensors(f"{evaluand.held} mmd", lambda: _known(evaluand))
        n = min(len(samples), len(held_out))
        return Measured(value=value, low=low, high=high, n=n, floor=float(known["floor"]), naive=float(known["naive"]))


def _known(evaluand: Evaluand) -> dict[str, Tensor]:
    """`floor`: what other real items get; `naive`: the least that an imitation gets."""
    held_out, ruler, train = features.held_out(evaluand, MOST), features.ruler(evaluand), evaluand.dataset.train
    floor = discrepancy(ruler(flat(evaluand.reference, MOST)), held_out, _kernel, 0, rounds=1)[0]
    imitated = (ruler(imitate(train, max(len(held_out), FEWEST)).flatten(1)) for imitate in imitations.IMITATIONS)
    naive = min(discrepancy(items, held_out, _kernel, 0, rounds=1)[0] for items in imitated)
    # Real items are at no distance from each other; less is chance.
    return {"floor": torch.tensor(max(0.0, floor)), "naive": torch.tensor(naive)}


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """Gaussian kernels of three widths around the dimension: the mean squared distance of whitened items is 2 d."""
    squared = torch.cdist(a, b).square() / a.shape[1]
    return torch.stack([torch.exp(-squared / width) for width in (0.5, 1.0, 2.0)]).mean(dim=0)
