"""What cleaning dropped and why, to be read by people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
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
    every = (item for item in quarantined(folder) if item.rule == rule)
    return _looked(folder, content, list(islice(every, most)))


def clusters(folder: Path, content: str, most: int, each: int) -> list[tuple[int, list[Looked]]]:
    """The items for which most others were taken: how many those are, and `each` of them at most."""
    found: dict[str, list[Quarantined]] = {}
    counts = Counter[str]()
    for item in quarantined(folder):
        if item.twin is not None:
            counts[item.twin] += 1
            if counts[item.twin] <= each:
                found.setdefault(item.twin, []).append(item)
    largest = counts.most_common(most)
    shown = iter(_looked(folder, content, [item for twin, _ in largest for item in found[twin]]))
    return [(n, list(islice(shown, len(found[twin])))) for twin, n in largest]


def _looked(folder: Path, content: str, items: Sequence[Quarantined]) -> list[Looked]:
    """Dropped items with their content, in their order."""
    column = f"{shards.COLUMN}{content}"
    dropped, twins = {item.name for item in items}, {item.twin for item in items}
    own = {r["name"]: r[column] for r in shards.read(folder, "quarantine", ["name", column]) if r["name"] in dropped}
    kept = {r["name"]: r[column] for r in shards.read(folder, "items", ["name", column]) if r["name"] in twins}
    return [Looked(item, own[item.name], kept.get(item.twin or "")) for item in items]
