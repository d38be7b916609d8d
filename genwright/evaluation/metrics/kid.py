"""Kernel Inception distance (Binkowski et al. 2018), by an extractor that is learned from the training pictures."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from genwright.core.shapes import Signature
from genwright.evaluation.discrepancy import discrepancy
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.extractor import PATCH_FILTERS
from genwright.evaluation.look import Look, applies
from genwright.evaluation.metrics.base import Metric, metrics
from genwright.evaluation.records import Measured


@metrics.register
class Kid(Metric):
    """The unbiased squared discrepancy of samples and held-out items, times 1,000, under the kernel (x y / d + 1)^3, in
    features of `evaluation/extractor.py`; never to be compared with one by another extractor, which `detail` names. It sees
    texture and what lies where; not copies."""

    name = "kid"
    better = "lower"
    memory = "coverage"
    compared = True
    look: ClassVar[Look] = PATCH_FILTERS
    sees = ("mean", "noise", "static", "normal", "blurred", "blended", "one class", "ten repeated", "other data")
    explain = "How far the samples are from unseen real pictures in shapes and texture; about 0 for more real pictures."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return applies(signature.makes)

    def measure(self, evaluand: Evaluand) -> Measured:
        held_out, samples = self.look.of_side(evaluand, evaluand.held_out), self.look.of_samples(evaluand)
        found = discrepancy(samples, held_out, kernel, evaluand.seed)
        return self.look.compared(evaluand, self.name, found, distance)


def distance(x: Tensor, y: Tensor) -> float:
    """Of features (n, d) and (m, d), times 1,000."""
    return discrepancy(x, y, kernel, 0, rounds=1)[0]


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """The polynomial kernel of degree 3."""
    return (x @ y.T / x.shape[1] + 1) ** 3
