"""What a measure of quality must offer. One file each in `metrics/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from genwright.core.errors import TrainingError
from genwright.core.plugins import Plugins
from genwright.core.shapes import Signature
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.records import Measured

FEWEST, ENOUGH = 12, 30
"""Held-out items below which most measures are not taken, and below which they are unsure."""


class Metric(ABC):
    """A measure of a model on held-out items. Stateless; everything it needs is in the Evaluand."""

    name: ClassVar[str]
    better: ClassVar[Literal["lower", "higher"]]
    explain: ClassVar[str]  # one sentence for a person who is no expert
    minimum: ClassVar[int] = FEWEST  # held-out items below which the measure says nothing
    samples: ClassVar[int] = 0  # samples of the model below which it says nothing
    memory: ClassVar[str] = ""  # the measure that says whether earlier items are still known, where this one cannot
    sees: ClassVar[tuple[str, ...]] = ()  # the frauds that it finds worse than real items, by name: see evaluation/frauds.py
    compared: ClassVar[bool] = False  # whether it says what a naive imitation would get
    labelled: ClassVar[bool] = False  # whether items must have a label, given to the model or not
    rank: ClassVar[int] = 0  # above 0: may compare families; of those that suit a signature the highest does
    sign: ClassVar[Literal["memorised", "collapsed"] | None] = None  # what it is a sign of when it is alarming

    @classmethod
    @abstractmethod
    def suits(cls, signature: Signature) -> str | None:
        """None, or the reason why the measure can never be taken of a model of this signature."""

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        """None, or what this model or data lacks for a measure that suits them."""
        return None

    @classmethod
    def applies(cls, evaluand: Evaluand) -> str | None:
        """None, or the reason why the measure cannot be taken of this model and data."""
        few = evaluand.count < cls.samples
        told = f"needs {cls.samples} samples, {evaluand.count} are drawn (`samples`)" if few else None
        return cls.suits(evaluand.signature) or told or cls.lacks(evaluand)

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        """What is wrong where the value is alarming, in words for a person; `sign` says what of."""
        return None

    @abstractmethod
    def measure(self, evaluand: Evaluand) -> Measured:
        """The measure with its interval."""


metrics: Plugins[Metric] = Plugins("metrics", "genwright.evaluation.metrics")


def key_of(name: str, task: str) -> str:
    """What a measure of a task is called: by its name alone for the first task, which is ""."""
    return f"{name}@{task}" if task else name


def split(key: str) -> tuple[str, str]:
    """The measure and the task that a key of an evaluation names: `psnr@complete`; without a task it is the first one, ""."""
    name, _, task = key.partition("@")
    return name, task


def ranked(signature: Signature) -> type[Metric]:
    """The measure that compares families of a signature. Raises TrainingError where there is none."""
    suited = [metric for metric in metrics.all().values() if metric.rank and metric.suits(signature) is None]
    if not suited:
        raise TrainingError(
            "No measure compares models of this signature.", got=signature, do="add one, or change what is made"
        )
    return max(suited, key=lambda metric: metric.rank)


def bootstrap(n: int, statistic: Callable[[NDArray[np.intp]], float], *, seed: int, rounds: int = 200) -> tuple[float, float]:
    """95 % percentile interval of `statistic(indices)` under resampling of `n` items with replacement."""
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(0, n, n)) for _ in range(rounds)]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
