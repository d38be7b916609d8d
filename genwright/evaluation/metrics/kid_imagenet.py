"""Kernel Inception distance (Binkowski et al. 2018) by a network that was trained on ImageNet, where that is installed."""

from __future__ import annotations

from genwright.core.shapes import Signature
from genwright.evaluation import pretrained
from genwright.evaluation.discrepancy import discrepancy
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.look import applies
from genwright.evaluation.metrics.base import Metric, metrics
from genwright.evaluation.metrics.kid import kernel
from genwright.evaluation.records import Measured


@metrics.register
class KidImagenet(Metric):
    """As `kid`, in features of `evaluation/pretrained.py`. A measure of its own, so that the two are never held against each
    other: a gate names one of them, and a champion is compared by the same."""

    name = "kid_imagenet"
    better = "lower"
    memory = "coverage"
    compared = True
    sees = ("mean", "noise", "static", "normal", "blurred", "blended", "one class", "ten repeated", "other data")
    explain = "How far the samples are from unseen real pictures to a network that knows ImageNet; about 0 for more real ones."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return applies(signature.makes)

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return pretrained.lacks()

    def measure(self, evaluand: Evaluand) -> Measured:
        look = pretrained.EFFICIENTNET
        held_out, samples = look.of_side(evaluand, evaluand.held_out), look.of_samples(evaluand)
        found = discrepancy(samples, held_out, kernel, evaluand.seed)
        return look.compared(evaluand, self.name, found, lambda x, y: discrepancy(x, y, kernel, 0, rounds=1)[0])
