"""Quality: the champion does worse on items that came since than it did on the test items of its day."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from genwright.core.record import Record
from genwright.evaluation.metrics.base import metrics
from genwright.triggers.base import Finding, Trigger, Watched, triggers


class QualityOptions(Record):
    drop: float = Field(0.1, ge=0, description="by how much worse, as a share of the measure at its making")
    fewest: int = Field(30, ge=2, description="new items below which nothing is concluded")


@triggers.register
class Quality(Trigger):
    """Re-scores the champion on the new items by the measure that selects families. Fires when it is worse by more than
    `drop` and the interval leaves no doubt."""

    name = "quality"
    Options: ClassVar[type[Record]] = QualityOptions
    options: QualityOptions

    def check(self, watched: Watched) -> Finding:
        fresh, measure = watched.fresh, watched.measure
        if fresh is None or len(fresh.test) < self.options.fewest:
            count = 0 if fresh is None else len(fresh.test)
            return self.found(False, f"{count} new items are fit for use; {self.options.fewest} are needed to judge by")
        scores = [watched.score(data) for data in (fresh, watched.trained_on)]
        now, then = (score.measures.get(measure) for score in scores)
        if now is None or then is None:
            reasons = "; ".join(score.unmeasured.get(measure, "") for score in scores).strip("; ")
            return self.found(False, f"{measure} cannot be measured: {reasons}")
        lower = metrics.get(measure).better == "lower"
        slack = self.options.drop * abs(then.value)
        bound = then.value + slack if lower else then.value - slack
        fired = (now.low > bound and now.low > then.high) if lower else (now.high < bound and now.high < then.low)
        why = f"{measure} is {now.value:.4g} ({now.low:.4g} to {now.high:.4g}) on {len(fresh.test)} new items"
        why += f", {then.value:.4g} ({then.low:.4g} to {then.high:.4g}) on the test items of its data"
        return self.found(fired, why, now.value, bound)
