"""An independent judge of labelled arrays: an RBF support vector machine with calibrated probabilities.

Learned from the training split alone, never trained against.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import Label, Signal
from genwright.data.dataset import Dataset

MOST = 10_000  # training items; the cost of an SVM grows with their square
LARGEST = 32 * 32 * 3
FEWEST = 5  # items of a class; one for each fold of the calibration


def applies(dataset: Dataset) -> str | None:
    """None, or why there can be no such judge."""
    content, condition = dataset.contents.content, dataset.train.condition
    if not isinstance(content, Signal) or content.size > LARGEST:
        return f"judges arrays of up to {LARGEST} values"
    if condition is None or not isinstance(condition.shape, Label):
        return "needs labelled data"
    counts = np.bincount(condition.array[condition.array >= 0], minlength=condition.shape.classes)
    enough = int((counts >= FEWEST).sum())
    return None if enough > 1 else f"needs {FEWEST} training items of two classes or more; {enough} have as many"


class Judge:
    """Probabilities of the classes of a data set; classes with fewer than FEWEST labelled items are left out."""

    def __init__(self, dataset: Dataset) -> None:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import SVC

        batch = dataset.train.items(np.arange(min(MOST, len(dataset.train))))
        assert batch.condition is not None
        x, y = batch.content.flatten(1).numpy(), batch.condition.numpy()
        classes, counts = np.unique(y[y >= 0], return_counts=True)
        known = np.isin(y, classes[counts >= FEWEST])
        self._model: Any = CalibratedClassifierCV(SVC(kernel="rbf", gamma="scale", C=10.0), cv=FEWEST, ensemble=False)
        self._model.fit(x[known], y[known])

    def probabilities(self, content: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(n,) the likeliest class of each item, and (n,) its probability."""
        table = self._model.predict_proba(content.flatten(1).numpy())
        return self._model.classes_[table.argmax(axis=1)].astype(np.int64), table.max(axis=1)
