"""An independent judge of labelled items: an RBF support vector machine with calibrated probabilities, over the values of
arrays, or over how often each token stands in a sequence.

Learned from the training split alone, never trained against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from genwright.core.shapes import Shape, Signal, Signature, Tokens
from genwright.data.columns import Integers
from genwright.data.dataset import Dataset
from genwright.data.feed import Side
from genwright.evaluation import naive as imitations
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.passages import written

MOST = 10_000  # training items; the cost of an SVM grows with their square
HELD_OUT = 2000  # validation items it is calibrated on, and held-out items it is shown
PLACES = 1024  # that tokens are hashed into
NAIVE = 500  # imitations it is shown
SURE = 0.8  # probability at which it counts as sure
LARGEST = 32 * 32 * 3  # values; larger pictures are averaged down
SIDE = 32  # pixels that these keep a side
PIECE = 500  # items read at once
NAIVE_VALUES = 2**26  # of imitations of each kind
FEWEST = 5  # items of a class; one for each fold of the calibration
PLENTY = 5000  # items of which two folds do: five take twice as long
NONE = -1  # the class of what is of no class
LEAST = 1e-12  # probability that counts as none
WIDEST = 50.0  # by how much log probabilities are stretched or shrunk, at most


def suits(signature: Signature) -> str | None:
    """None, or why there can be no such judge of what is made."""
    makes = signature.makes
    if isinstance(makes, Tokens) or (isinstance(makes, Signal) and (makes.picture or makes.size <= LARGEST)):
        return None
    return f"judges sequences, pictures, and other arrays of up to {LARGEST} values"


def lacks(dataset: Dataset) -> str | None:
    """None, or why a data set cannot teach one."""
    if dataset.contents.label is None:
        return "needs labelled data"
    kinds = labels(dataset, dataset.train)
    enough = int((np.bincount(kinds[kinds != NONE], minlength=len(names(dataset))) >= FEWEST).sum())
    return None if enough > 1 else f"needs {FEWEST} training items of two classes or more; {enough} have as many"


def names(dataset: Dataset) -> list[str]:
    """The classes, in order."""
    label = dataset.contents.label
    return [] if label is None else dataset.contents.columns[label].labels or []


def labels(dataset: Dataset, side: Side, rows: Integers | None = None) -> NDArray[np.int64]:
    """(n,) classes of a side's items, or of those in some rows; NONE where an item has none."""
    assert dataset.contents.label is not None
    given = side.columns[dataset.contents.label].given(np.arange(len(side)) if rows is None else rows)
    return torch.where(given.present, given.value, NONE).numpy()


def sure_of_some(kinds: NDArray[np.int64], sure: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) which items are recognised as of some class."""
    return np.asarray((kinds != NONE) & (sure >= SURE))


class Judge:
    """Probabilities of the classes of a data set, and of being none of them; classes with fewer than FEWEST labelled items are
    left out. What is none of them is learned from noise of several kinds: far from all it knows a machine is sure of anything.

    How sure it says it is, is put right by a temperature (Guo et al. 2017) learned from the validation items: a machine that
    is right and never sure would recognise nothing.
    """

    def __init__(self, dataset: Dataset) -> None:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import SVC

        x, y = _labelled(dataset.train, dataset, MOST)
        classes, counts = np.unique(y, return_counts=True)
        known = np.isin(y, classes[counts >= FEWEST])
        others = imitations.nothing(dataset.train, max(FEWEST, min(int(np.median(counts)), _affordable(dataset.makes))))
        x = np.concatenate([x[known], values(others)])
        y = np.concatenate([y[known], np.full(len(others), NONE)])
        folds = FEWEST if len(x) < PLENTY else 2
        self._model: Any = CalibratedClassifierCV(SVC(kernel="rbf", gamma="scale", C=10.0), cv=folds, ensemble=False)
        self._model.fit(x, y)
        self._sharpness = 1.0
        x, y = _labelled(dataset.validation, dataset, HELD_OUT)
        known = np.isin(y, self._model.classes_)
        if known.sum() >= FEWEST:
            self._sharpness = _sharpness(self._logs(x[known]), np.searchsorted(self._model.classes_, y[known]))

    def probabilities(self, content: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(n,) the likeliest class of each item, NONE for one that is like no class, and (n,) its probability."""
        return self.opinion(values(content))

    def opinion(self, looked_at: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The same of items as `values` gives them."""
        table = _softmax(self._sharpness * self._logs(looked_at))
        return self._model.classes_[table.argmax(axis=1)].astype(np.int64), table.max(axis=1)

    def _logs(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(np.log(np.clip(self._model.predict_proba(x), LEAST, 1.0)))


def _affordable(makes: Shape) -> int:
    """How many imitations are made at once at most."""
    return NAIVE_VALUES // makes.size if isinstance(makes, Signal) else MOST


def _labelled(side: Side, dataset: Dataset, limit: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What is looked at of some items of a side, and their classes; items without one are left out."""
    rows = side.subset(limit)
    kinds = labels(dataset, side, rows)
    return values_of(side, rows[kinds != NONE]), kinds[kinds != NONE]


def values_of(side: Side, rows: Integers) -> NDArray[np.float32]:
    """(n, d) what the judge looks at of some items of a side."""
    starts = range(0, max(1, len(rows)), PIECE)
    return np.concatenate([values(side.contents(rows[start : start + PIECE])) for start in starts])


def values(content: Tensor) -> NDArray[np.float32]:
    """(n, d) what the judge looks at: the values of arrays, of large pictures averaged down; of sequences the square roots of
    the share each token has, tokens hashed into PLACES."""
    if content.is_floating_point():
        if content.ndim == 4 and content.shape[1:].numel() > LARGEST:
            content = F.adaptive_avg_pool2d(content, (min(content.shape[2], SIDE), min(content.shape[3], SIDE)))
        return content.flatten(1).numpy()
    rows = np.zeros((len(content), PLACES), dtype=np.float32)
    for row, tokens in zip(rows, written(content), strict=True):
        row += np.bincount(tokens * 40_503 % PLACES, minlength=PLACES) / max(1, len(tokens))
    return np.sqrt(rows)


def _softmax(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _sharpness(logs: NDArray[np.float64], right: NDArray[np.intp]) -> float:
    """The factor on log probabilities (n, classes), one over the temperature, under which the right classes are likeliest."""
    from scipy.optimize import minimize_scalar

    def surprise(log_factor: float) -> float:
        return -float(np.log(_softmax(np.exp(log_factor) * logs)[np.arange(len(right)), right].clip(LEAST)).mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-np.log(WIDEST), np.log(WIDEST)), method="bounded").x))


def judged(evaluand: Evaluand) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What the judge says of the samples; it is taught once for a data set."""
    return evaluand.once("judged", lambda: _judge(evaluand).probabilities(evaluand.samples))


@dataclass(frozen=True)
class Known:
    """What the judge says of some held-out items: the likeliest class of each, how sure it is, and the class it has; NONE
    for none. All (n,)."""

    kinds: NDArray[np.int64]
    sure: NDArray[np.float64]
    right: NDArray[np.int64]


def judged_held_out(evaluand: Evaluand) -> Known:
    """What it says of up to HELD_OUT held-out items."""
    side = evaluand.held_out

    def say() -> dict[str, Tensor]:
        rows = side.subset(HELD_OUT)
        kinds, sure = _judge(evaluand).opinion(values_of(side, rows))
        found = {"kinds": kinds, "sure": sure, "right": labels(evaluand.dataset, side, rows)}
        return {name: torch.from_numpy(values) for name, values in found.items()}

    found = evaluand.data.tensors(f"{side.name} judged", say)
    return Known(found["kinds"].numpy(), found["sure"].numpy(), found["right"].numpy())


def judged_naive(evaluand: Evaluand) -> float:
    """The share of naive imitations that it is sure of."""

    def say() -> dict[str, Tensor]:
        kinds, sure = _judge(evaluand).probabilities(imitations.blended(evaluand.dataset.train, NAIVE))
        return {"share": torch.tensor(float(sure_of_some(kinds, sure).mean()))}

    return float(evaluand.data.tensors("naive judged", say)["share"])


def _judge(evaluand: Evaluand) -> Judge:
    return evaluand.data.once("judge", lambda: Judge(evaluand.dataset))
