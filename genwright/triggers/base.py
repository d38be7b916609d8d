"""What may lead to a retraining. One file each in `triggers/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from genwright.core.plugins import Plugins
from genwright.core.record import Record
from genwright.data.dataset import Dataset
from genwright.evaluation.records import Evaluation


class Finding(Record):
    """What a trigger found. `value` is held against `bound` where both are known."""

    trigger: str
    fired: bool
    why: str
    value: float | None = None
    bound: float | None = None


class Watched(Protocol):
    """A champion and its sources as they are now: all that triggers see. What is costly is done when it is first asked for.

    Every member raises DataError when the sources cannot be read.
    """

    @property
    def new(self) -> int:
        """How many items the sources hold that the last training did not look at."""
        ...

    @property
    def known(self) -> int:
        """How many items the last training looked at."""
        ...

    @property
    def trained_on(self) -> Dataset:
        """The champion's own data, as it reads it."""
        ...

    @property
    def fresh(self) -> Dataset | None:
        """The same with new items in place of the test items; None where no new item is fit for use."""
        ...

    @property
    def measure(self) -> str:
        """The name of the measure that ranks models of this kind."""
        ...

    def days_since_training(self) -> float:
        """Since the champion was made, or a retraining was last tried."""
        ...

    def score(self, data: Dataset) -> Evaluation:
        """The champion on the test items of `data`, by that measure alone."""
        ...

    def losses(self, data: Dataset) -> NDArray[np.float64] | None:
        """(n,) the champion's loss of each of the first test items of `data`, with the same noise every time; None where it
        has no loss that speaks of items."""
        ...


class Trigger(ABC):
    """A reason to retrain, with validated options. It measures, and changes nothing."""

    name: ClassVar[str]
    Options: ClassVar[type[Record]]

    def __init__(self, options: Record) -> None:
        self.options = options

    @abstractmethod
    def check(self, watched: Watched) -> Finding:
        """Whether to retrain now, and why, in words for a person. Raises DataError when the sources cannot be read."""

    def found(self, fired: bool, why: str, value: float | None = None, bound: float | None = None) -> Finding:
        """A finding of this trigger."""
        return Finding(trigger=self.name, fired=fired, why=why, value=value, bound=bound)


triggers: Plugins[Trigger] = Plugins("triggers", "genwright.triggers")
