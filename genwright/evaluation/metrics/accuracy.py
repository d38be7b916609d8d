"""Does a classifier tell the right class of unseen items?"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from genwright.core.shapes import Label, Signature
from genwright.data.columns import Integers
from genwright.evaluation import classifier, pairs
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.groups import by_class, of_each
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured
from genwright.models.architectures.base import Encodes

MOST = 10_000  # items


@metrics.register
class Accuracy(Metric):
    """Share of the labelled held-out items whose class a classifier tells rightly. Where the label it learned from was derived
    from that of the items (with some withheld), all labels of the test items count; while training those it may know. `naive`
    is the share of the commonest class; `groups` has each class."""

    name = "accuracy"
    better = "higher"
    compared = True
    rank = 1
    explain = "How often a classifier tells the right class of an item it has never seen."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        tells = signature.makes is None and signature.one(Label) is not None and len(signature.given) > 1
        return None if tells else "judges models that are given one label and make nothing"

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        if not isinstance(evaluand.model, Encodes):
            return "the model tells no classes"
        return None if (_right(evaluand)[1] != classifier.NONE).any() else "no held-out item has a label"

    def measure(self, evaluand: Evaluand) -> Measured:
        rows, right = _right(evaluand)
        rows, right = rows[right != classifier.NONE], right[right != classifier.NONE]
        model = cast(Encodes, evaluand.model)
        seen = next(name for name in evaluand.signature.given if name in model.codes)
        scores = pairs.encoded(model, seen, evaluand.given_of(rows)[seen].value, evaluand.device)
        agreed = (scores.argmax(dim=1).numpy() == right).astype(np.float64)

        def share(places: NDArray[np.intp]) -> float:
            return float(agreed[places].mean())

        low, high = bootstrap(len(rows), share, seed=evaluand.seed)
        groups = by_class("label", right, np.ones(len(right), dtype=np.bool_), classifier.names(evaluand.dataset))
        return Measured(
            value=share(np.arange(len(rows))),
            low=low,
            high=high,
            n=len(rows),
            naive=float(np.bincount(right).max() / len(right)),
            perfect=1.0,
            groups=of_each(groups, share),
        )


def _right(evaluand: Evaluand) -> tuple[Integers, NDArray[np.int64]]:
    """Held-out rows, and the class of each; NONE where it has none."""
    rows, label = evaluand.held_out.subset(MOST), evaluand.label
    assert label is not None
    if evaluand.held == "test" and evaluand.recorded_label(label) is not None:
        return rows, classifier.labels(evaluand.dataset, evaluand.held_out, rows)
    given = evaluand.held_out.table(rows)[label]
    return rows, np.where(given.present.numpy(), given.value.numpy(), classifier.NONE)
