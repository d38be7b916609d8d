"""Would more data help? The same model trained on a part of the items, measured on the same held-out ones."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genwright.core.record import Record
from genwright.core.stored import Stored
from genwright.evaluation.records import Measured

SHARES = (0.25, 0.5)  # of the training items; each point is of twice as many as the one before


class LearnedFrom(Record):
    """What came of learning from so many items."""

    items: int
    measured: Measured


class DataCurve(Stored):
    """`points` are of ever more items, the last of all there are. `model` is the SHA-256 of that one's weights."""

    form = "data-curve"

    model: str
    measure: str
    better: Literal["lower", "higher"]
    points: list[LearnedFrom] = Field(min_length=2)

    @property
    def gain(self) -> float:
        """What the last doubling gained; below 0 where it lost."""
        return self._gained(len(self.points) - 1)

    @property
    def told(self) -> bool:
        """Whether that can be told from chance: neither value lies in the other's interval."""
        before, last = (point.measured for point in self.points[-2:])
        return not (before.low <= last.value <= before.high) and not (last.low <= before.value <= last.high)

    @property
    def expected(self) -> float:
        """What twice as many would gain, if every doubling gains the same share of what the one before gained."""
        first = self._gained(len(self.points) - 2) if len(self.points) > 2 else 0.0
        return self.gain * (min(1.0, self.gain / first) if first > 0 else 1.0)

    @property
    def words(self) -> str:
        """For a person, with what to do."""
        half, all_ = self.points[-2:]
        fewer, more = (f"{point.measured.words} from {point.items:,}" for point in (half, all_))
        seen = f"{self.measure} is {fewer} items and {more}"
        if not self.told:
            return f"Flat: {seen}, which chance does not tell apart. More data of this kind would gain little."
        if self.gain < 0:
            return f"More data made it worse: {seen}. Look at what the items have in common, or train longer."
        return f"Twice the data would gain about {self.expected:.2g}: {seen}."

    def _gained(self, place: int) -> float:
        before, after = (self.points[at].measured.value for at in (place - 1, place))
        return before - after if self.better == "lower" else after - before
