"""Are the samples of the kind that was asked for?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genwright.core.shapes import Label, Signature
from genwright.evaluation import classifier
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.groups import of_each
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured


@metrics.register
class Agreement(Metric):
    """Share of samples that a classifier takes for the class that was asked for. `floor` is its accuracy on real held-out
    items, `naive` what chance would give. It does not see whether samples of a class differ."""

    name = "agreement"
    better = "higher"
    sees = ("mean", "noise", "static", "one class", "another kind")
    compared = True
    labelled = True
    explain = "Share of samples that a classifier trained on the real items takes for the kind that was asked for."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return classifier.suits(signature) or (None if signature.one(Label) else "nothing is asked for by a label")

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        if (lacking := classifier.lacks(evaluand.dataset)) is not None:
            return lacking
        if evaluand.recorded_label(evaluand.label) is None:
            return "the label that is asked for is not that of the items"
        asked = evaluand.label is not None and bool(evaluand.given[evaluand.label].present.any())
        return None if asked else "no sample was asked for by a label"

    def measure(self, evaluand: Evaluand) -> Measured:
        assert evaluand.label is not None
        kinds, _ = classifier.judged(evaluand)
        asked = evaluand.given[evaluand.label]
        places = np.flatnonzero(asked.present.numpy())
        agreed = (kinds == asked.value.numpy()).astype(np.float64)

        def share(rows: NDArray[np.intp]) -> float:
            return float(agreed[rows].mean())

        low, high = bootstrap(len(places), lambda i: share(places[i]), seed=evaluand.seed)
        real = classifier.judged_held_out(evaluand)
        labelled = real.right != classifier.NONE
        floor = float((real.kinds == real.right)[labelled].mean()) if labelled.any() else None
        asked_of = {name: np.intersect1d(rows, places) for name, rows in evaluand.groups().items()}
        naive = 1 / max(2, len(classifier.names(evaluand.dataset)))
        groups = of_each({name: rows for name, rows in asked_of.items() if len(rows)}, share)
        value = share(places)
        return Measured(value=value, low=low, high=high, n=len(places), floor=floor, naive=naive, groups=groups)
