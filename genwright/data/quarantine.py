"""What cleaning dropped and why, to be read by people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from genwright.core.record import Record
from genwright.data import shards


class Quarantined(Record):
    """A dropped item, without its bytes."""

    name: str
    rule: str = Field(description="the filter, or step of cleaning, that dropped it")
    reason: str
    side: str
    source: str
    digest: str


def quarantined(folder: Path) -> Iterator[Quarantined]:
    """The dropped items of a cleaned folder, in the order they were judged."""
    for row in shards.read(folder, "quarantine", list(Quarantined.model_fields)):
        yield Quarantined(**row)


def examples(folder: Path, each: int = 3) -> dict[str, list[Quarantined]]:
    """The first few dropped items of every rule, by rule."""
    found: dict[str, list[Quarantined]] = {}
    for item in quarantined(folder):
        kept = found.setdefault(item.rule, [])
        if len(kept) < each:
            kept.append(item)
    return dict(sorted(found.items()))
