"""One pass over all items of some files: how many, of which labels, on which sides, which are nearly the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from genwright.core.errors import Unreadable
from genwright.data.files import FileOptions, Files
from genwright.data.filters.base import LIKE, Entry, filters
from genwright.data.item import Item
from genwright.data.modalities.base import Modality

SAMPLED = 200  # items that are kept to be read, spread over the data, and up to twice as many
COMPARED, BYTES = 2000, 16 * 2**20  # items at the beginning among which near duplicates are looked for, as far as BYTES go
MOST_CLASSES = 1000
ROOM, PLACES = 64 * 2**20, 2**16  # bytes of all that are kept, and items whose side is asked for

T = TypeVar("T")


class Met(NamedTuple):
    """An item that was met: its name, and what decides its side of the split (`Item.place`, `Item.given_side`)."""

    name: str
    place: str
    given_side: str


class Compared:
    """Looks for near duplicates among the first items, by the rule that will leave them out."""

    def __init__(self, modality: Modality) -> None:
        self.count, self.bytes, self.alike = 0, 0, list[tuple[Met, Met]]()
        self._modality, self._met = modality, dict[str, Met]()
        rule = filters.get("near_duplicates")
        self._rule = rule(rule.Options()) if rule.applies(modality) is None else None

    def add(self, item: Item) -> None:
        if self._rule is None or self.count >= COMPARED or self.bytes + len(item.data) > BYTES:
            return
        self.count, self.bytes = self.count + 1, self.bytes + len(item.data)
        with suppress(Unreadable):
            reason = self._rule.reason(Entry(item, "train", self._modality, item.columns.get("label", b"")))
            met = self._met[item.name] = Met(item.name, item.place[:16], item.given_side)
            if reason is not None:
                self.alike.append((self._met[reason.removeprefix(LIKE)], met))


class Spread(Generic[T]):
    """Some of a stream, evenly spread: every so many, more apart as more come. `size` is what one takes of the `room`."""

    def __init__(self, room: int, size: Callable[[T], int] = lambda _: 1) -> None:
        self.kept: list[T] = []
        self._room, self._size = room, size
        self._stride, self._count, self._held = 1, 0, 0

    def add(self, one: T) -> None:
        if self._count % self._stride == 0:
            self.kept.append(one)
            self._held += self._size(one)
            while self._held > self._room and len(self.kept) > 1:
                self.kept, self._stride = self.kept[::2], 2 * self._stride
                self._held = sum(map(self._size, self.kept))
        self._count += 1


@dataclass
class Survey:
    """What is known of all items, and some of them. `places` are what decides the sides of some of the distinct ones."""

    compared: Compared
    items: int = 0
    distinct: int = 0
    bytes: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)
    files: set[Path] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    places: list[tuple[str, str]] = field(default_factory=list)
    sample: list[Item] = field(default_factory=list)


def survey(at: Path, options: FileOptions, modality: Modality) -> Survey:
    """One pass over the items; 8 bytes of each are remembered."""
    files, found, met = Files(at, options, modality.suffixes, ""), Survey(Compared(modality)), set[int]()
    places, sample = Spread[tuple[str, str]](PLACES), Spread[Item](ROOM, lambda item: max(len(item.data), ROOM // SAMPLED // 2))
    for item in files.items():
        known = int(item.digest[:16], 16)
        if known not in met:
            met.add(known)
            places.add((item.place[:16], item.given_side))
            found.compared.add(item)
        for name, data in list(item.columns.items())[1:]:
            if name == "label":
                label = data.decode("utf-8", "replace")
                found.classes[label] = found.classes.get(label, 0) + 1
            else:
                found.given[name] += 1
        sample.add(item)
        found.items += 1
        found.bytes += len(item.data)
    found.files, found.skipped, found.distinct = set(files.reader.files()), dict(files.skipped), len(met)
    found.places, found.sample = places.kept, sample.kept
    if len(found.classes) > MOST_CLASSES:
        found.classes = {}
    return found
