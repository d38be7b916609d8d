"""Age: the model was made, or last tried anew, too long ago."""

from __future__ import annotations

from typing import ClassVar

from genwright.core.record import Record
from genwright.core.span import Span, span
from genwright.triggers.base import Finding, Trigger, Watched, triggers


class AgeOptions(Record):
    limit: Span = "30d"


@triggers.register
class Age(Trigger):
    """Fires when the last training lies further back than the limit."""

    name = "age"
    Options: ClassVar[type[Record]] = AgeOptions
    options: AgeOptions

    def check(self, watched: Watched) -> Finding:
        days, limit = watched.days_since_training(), span(self.options.limit).total_seconds() / 86400
        why = f"the last training was {days:.1f} days ago; {limit:.3g} days are allowed"
        return self.found(days > limit, why, days, limit)
