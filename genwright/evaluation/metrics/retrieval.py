"""Does a pair of encoders find what belongs together among unseen items?"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from genwright.core.shapes import Label, Signature
from genwright.data.columns import Integers
from genwright.evaluation import pairs
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured
from genwright.models.architectures.base import Encodes


@metrics.register
class Retrieval(Metric):
    """Share of held-out items of which one column finds the other among 100 (R@1), the mean of both directions and of all
    hundreds there could be. Items whose text is the same are no wrong answers. `naive` is chance. `detail` has the median
    share of others that are nearer, and the pool where there are fewer than 100 items."""

    name = "retrieval"
    better = "higher"
    compared = True
    rank = 1
    explain = "How often, among a hundred unseen items, a text finds the picture it belongs to, and a picture its text."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        related = signature.makes is None and len(signature.given) == 2
        labelled = any(isinstance(port.shape, Label) for port in signature.given.values())
        return None if related and not labelled else "judges models that relate two columns and make nothing"

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        if not isinstance(evaluand.model, Encodes):
            return "the model encodes nothing"
        return None if len(_whole(evaluand)) > 1 else "no two held-out items have both columns"

    def measure(self, evaluand: Evaluand) -> Measured:
        rows, model = _whole(evaluand), cast(Encodes, evaluand.model)
        given = evaluand.given_of(rows)
        one, other = (pairs.encoded(model, name, values.value, evaluand.device) for name, values in given.items())
        alike = np.logical_or.reduce([pairs.alike(values) for values in given.values()])
        found = pairs.found(one, other, alike)

        def mean(places: NDArray[np.intp]) -> float:
            return float(found.first[places].mean())

        low, high = bootstrap(len(rows), mean, seed=evaluand.seed)
        detail = {"pool": found.pool, "median share nearer": float(np.median(found.better))}
        value = mean(np.arange(len(rows)))
        return Measured(value=value, low=low, high=high, n=len(rows), naive=found.chance, perfect=1.0, detail=detail)


def _whole(evaluand: Evaluand) -> Integers:
    """Held-out rows that have both columns."""
    rows = evaluand.held_out.subset(pairs.MOST)
    given = evaluand.once("given of pairs", lambda: evaluand.given_of(rows))
    there: NDArray[np.bool_] = np.logical_and.reduce([one.present.numpy() for one in given.values()])
    return rows[there]
