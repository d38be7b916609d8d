"""New data: enough items have come that training never looked at."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from genwright.core.record import Record
from genwright.triggers.base import Finding, Trigger, Watched, triggers


class NewItemsOptions(Record):
    """Whichever is reached first, where both are given."""

    count: int | None = Field(None, ge=1)
    share: float | None = Field(None, gt=0, description="of the items the last training looked at; default 0.05")


@triggers.register
class NewItems(Trigger):
    """Fires on a count or a share of new items."""

    name = "new_items"
    Options: ClassVar[type[Record]] = NewItemsOptions
    options: NewItemsOptions

    def check(self, watched: Watched) -> Finding:
        count, share = self.options.count, self.options.share
        if count is None and share is None:
            share = 0.05
        needed = min(n for n in (count, None if share is None else share * max(1, watched.known)) if n is not None)
        fired = watched.new >= max(1, needed)
        why = f"{watched.new:,} new items beside {watched.known:,} known ones; {max(1, needed):,.0f} are asked"
        return self.found(fired, why, watched.new, needed)
