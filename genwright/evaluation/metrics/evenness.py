"""Are all kinds there, and none too often?"""

from __future__ import annotations

import numpy as np

from genwright.core.shapes import Signature
from genwright.evaluation import classifier
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured


@metrics.register
class Evenness(Metric):
    """The smaller of (rarest class's share x classes) and 1 / (commonest class's share x classes), as a classifier
    trained on real items sees the samples: 1 when all classes are equally frequent, 0 when one is missing. It does not see
    whether samples of a class differ, or look like anything. `floor` is that of held-out items, or 1 where classes are asked
    for in equal shares."""

    name = "evenness"
    better = "higher"
    explain = "1 when every kind comes up equally often among the samples, 0 when a kind never comes up."

    sign = "collapsed"
    sees = ("mean", "noise", "static", "one class")
    compared = True
    labelled = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return classifier.suits(signature)

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return classifier.lacks(evaluand.dataset)

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        return f"the samples leave kinds out: evenness is {measured.value:.2f}" if measured.value < 0.1 else None

    def measure(self, evaluand: Evaluand) -> Measured:
        classes = len(classifier.names(evaluand.dataset))
        kinds, _ = classifier.judged(evaluand)

        def statistic(chosen: np.ndarray) -> float:
            known = chosen[chosen != classifier.NONE]
            if not len(known):
                return 0.0
            shares = np.bincount(known, minlength=classes) / len(chosen) * classes
            return float(min(shares.min(), 1 / shares.max()))

        asked = list(evaluand.signature.given) == [evaluand.label]
        floor = 1.0 if asked else statistic(classifier.judged_held_out(evaluand).kinds)

        low, high = bootstrap(len(kinds), lambda i: statistic(kinds[i]), seed=evaluand.seed)
        shares = np.bincount(kinds[kinds != classifier.NONE], minlength=classes) / len(kinds)
        detail = {"rarest": float(shares.min()), "commonest": float(shares.max())}
        value = statistic(kinds)  # resamples are always less even than the sample itself
        return Measured(
            value=value, low=min(low, value), high=max(high, value), n=len(kinds), floor=floor, naive=0.0, detail=detail
        )
