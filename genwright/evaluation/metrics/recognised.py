"""Do the samples look like something? Share that an independent classifier is sure about."""

from __future__ import annotations

from typing import Any

import numpy as np

from genwright.core.shapes import Signature
from genwright.evaluation import classifier
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.groups import of_each
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured


@metrics.register
class Recognised(Metric):
    """Share of samples to which a calibrated SVM, which also knows noise, gives some class with probability >= 0.8.

    `floor` is the same share of real held-out items, `naive` that of blends of two; `detail.shares`: share of the samples
    recognised as each class. It does not see whether all kinds are there, nor whether samples differ.
    """

    name = "recognised"
    better = "higher"
    sees = ("mean", "noise", "static")
    compared = True
    labelled = True
    explain = "Share of samples that a classifier trained on the real items recognises as one of the kinds, being sure."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return classifier.suits(signature)

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return classifier.lacks(evaluand.dataset)

    def measure(self, evaluand: Evaluand) -> Measured:
        kinds, probability = classifier.judged(evaluand)
        sure = classifier.sure_of_some(kinds, probability).astype(np.float64)
        real = classifier.judged_held_out(evaluand)
        names = classifier.names(evaluand.dataset)
        detail: dict[str, Any] = {"shares": {names[k]: float((kinds == k).mean()) for k in range(len(names))}}
        low, high = bootstrap(len(sure), lambda i: float(sure[i].mean()), seed=evaluand.seed)
        floor = float(classifier.sure_of_some(real.kinds, real.sure).mean())
        naive = classifier.judged_naive(evaluand)
        groups = of_each(evaluand.groups(), lambda i: float(sure[i].mean()))
        value = float(sure.mean())
        return Measured(value=value, low=low, high=high, n=len(sure), floor=floor, naive=naive, groups=groups, detail=detail)
