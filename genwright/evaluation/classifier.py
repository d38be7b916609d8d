"""An independent judge of labelled arrays: an RBF support vector machine with calibrated probabilities.

Learned from the training split alone, never trained against.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import Signal, Signature
from genwright.data.dataset import Dataset
from genwright.evaluation.evaluand import Evaluand

MOST = 10_000  # training items; the cost of an SVM grows with their square
LARGEST = 32 * 32 * 3
FEWEST = 5  # items of a class; one for each fold of the calibration


def suits(signature: Signature) -> str | None:
    """None, or why there can be no such judge of what is made."""
    if not isinstance(signature.makes, Signal) or signature.makes.size > LARGEST:
        return f"judges arrays of up to {LARGEST} values"
    return None


def lacks(dataset: Dataset) -> str | None:
    """None, or why a data set cannot teach one."""
    if dataset.contents.label is None:
        return "needs labelled data"
    values, present = labels(dataset)
    counts = np.bincount(values[present], minlength=len(names(dataset)))
    enough = int((counts >= FEWEST).sum())
    return None if enough > 1 else f"needs {FEWEST} training items of two classes or more; {enough} have as many"


def names(dataset: Dataset) -> list[str]:
    """The classes, in order."""
    label = dataset.contents.label
    return [] if label is None else dataset.contents.columns[label].labels or []


def labels(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(n,) classes of the training items, and which of them have one."""
    assert dataset.contents.label is not None
    given = dataset.train.columns[dataset.contents.label].given(np.arange(len(dataset.train)))
    return given.value.numpy(), given.present.numpy()


class Judge:
    """Probabilities of the classes of a data set; classes with fewer than FEWEST labelled items are left out."""

    def __init__(self, dataset: Dataset) -> None:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import SVC

        rows = np.arange(min(MOST, len(dataset.train)))
        x = dataset.train.contents(rows).flatten(1).numpy()
        y, present = (column[rows] for column in labels(dataset))
        classes, counts = np.unique(y[present], return_counts=True)
        known = present & np.isin(y, classes[counts >= FEWEST])
        self._model: Any = CalibratedClassifierCV(SVC(kernel="rbf", gamma="scale", C=10.0), cv=FEWEST, ensemble=False)
        self._model.fit(x[known], y[known])

    def probabilities(self, content: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(n,) the likeliest class of each item, and (n,) its probability."""
        table = self._model.predict_proba(content.flatten(1).numpy())
        return self._model.classes_[table.argmax(axis=1)].astype(np.int64), table.max(axis=1)


def judged(evaluand: Evaluand) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What the judge says of the samples; it is taught once for a data set."""
    return evaluand.once("judged", lambda: _judge(evaluand).probabilities(evaluand.samples))


def judged_held_out(evaluand: Evaluand, limit: int) -> NDArray[np.float64]:
    """(min(limit, n),) how sure the judge is of the held-out items."""
    side = evaluand.held_out

    def sure() -> dict[str, Tensor]:
        rows = np.arange(min(limit, len(side)))
        return {"sure": torch.from_numpy(_judge(evaluand).probabilities(side.contents(rows))[1])}

    return evaluand.data.tensors(f"{side.name} judged", sure)["sure"].numpy()


def _judge(evaluand: Evaluand) -> Judge:
    return evaluand.data.once("judge", lambda: Judge(evaluand.dataset))
