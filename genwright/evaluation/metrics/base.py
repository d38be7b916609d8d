"""What a measure of quality must offer. One file each in `metrics/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from genwright.core.plugins import Plugins
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.records import Measured


class Metric(ABC):
    """A measure of a model on held-out items. Stateless; everything it needs is in the Evaluand."""

    name: ClassVar[str]
    better: ClassVar[Literal["lower", "higher"]]
    explain: ClassVar[str]  # one sentence for a person who is no expert
    minimum: ClassVar[int] = 30  # held-out items below which the measure says nothing
    memory: ClassVar[str] = ""  # the measure that says whether earlier items are still known, where this one cannot

    @classmethod
    @abstractmethod
    def applies(cls, evaluand: Evaluand) -> str | None:
        """None, or the reason why the measure cannot be taken of this model and data."""

    @abstractmethod
    def measure(self, evaluand: Evaluand) -> Measured:
        """The measure with its interval."""


metrics: Plugins[Metric] = Plugins("metrics", "genwright.evaluation.metrics")


def bootstrap(n: int, statistic: Callable[[NDArray[np.intp]], float], *, seed: int, rounds: int = 200) -> tuple[float, float]:
    """95 % percentile interval of `statistic(indices)` under resampling of `n` items with replacement."""
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(0, n, n)) for _ in range(rounds)]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
