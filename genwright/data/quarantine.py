"""What cleaning dropped and why, to be read by people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from genwright.core.record import Record
from genwright.data import shards
from genwright.data.filters.base import LIKE


class Quarantined(Record):
    """A dropped item, without its bytes."""

    name: str
    rule: str = Field(description="the filter, or step of cleaning, that dropped it")
    reason: str
    side: str
    source: str
    digest: str

    @property
    def twin(self) -> str | None:
        """The name of the item that it was taken for; None where it was dropped for itself."""
        return self.reason.removeprefix(LIKE) if self.reason.startswith(LIKE) else None


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


class Looked(NamedTuple):
    """A dropped item with its content, and that of the item it was taken for."""

    item: Quarantined
    content: bytes
    twin: bytes | None


def look(folder: Path, content: str, rule: str, most: int) -> list[Looked]:
    """The first `most` items that a rule dropped, with their `content`."""
    column = f"{shards.COLUMN}{content}"
    dropped: list[tuple[Quarantined, bytes]] = []
    for row in shards.read(folder, "quarantine", [*Quarantined.model_fields, column]):
        data = row.pop(column)
        if row["rule"] == rule and len(dropped) < most:
            dropped.append((Quarantined(**row), data))
    wanted = {item.twin for item, _ in dropped}
    kept = {row["name"]: row[column] for row in shards.read(folder, "items", ["name", column]) if row["name"] in wanted}
    return [Looked(item, data, kept.get(item.twin or "")) for item, data in dropped]
