"""From raw items to a data set: what is unfit goes to quarantine with its reason, the rest is split and encoded.

Nothing is deleted: collected = kept + dropped by reason. An item's side is decided by its content hash, so it never
moves when data grows. Test items are judged first, then validation, then training items: of two alike on different
sides the training item is dropped, so nothing that is held out is ever trained on.

An item that lacks a column, or whose bytes of it cannot be read, is kept where the column is optional (a label, as in
semi-supervised training), and goes to quarantine where it is not (a text to translate).

`python -m genwright.data.clean RECIPE` is the data stage: it reads `data/RECIPE/clean.json` and `data/RECIPE/raw` and writes
`data/RECIPE/clean`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genwright import __version__
from genwright.core import stored
from genwright.core.durable import replacing
from genwright.core.errors import DataError, RecipeError, Unreadable
from genwright.core.record import Part
from genwright.core.shapes import Label
from genwright.core.stored import Stored
from genwright.core.workspace import Workspace
from genwright.data import shards, stage
from genwright.data.encode import SIDES, Recorded, Writer, learn, readable
from genwright.data.filters.base import Entry, Filter, filters
from genwright.data.item import Item, content_first, place
from genwright.data.modalities.base import Modality
from genwright.data.modalities.base import build as build_modality
from genwright.data.records import CONTENTS, DatasetContents, Side
from genwright.data.shards import Shards
from genwright.data.split import Splitting

FEWEST = {"train": 8, "validation": 2, "test": 2}


def _in_parts(old: dict[str, Any]) -> dict[str, Any]:
    """Format 2 says which part is held out, of how many."""
    return {**old, "split": {**old["split"], "folds": 1}, "fold": 0}


class CleanSpec(Stored):
    """How items are cleaned: equal specs over equal raw items give equal data sets."""

    form = "clean"
    format = 2
    upgrades = (_in_parts,)

    recipe: str
    content: str = Field("content", description="the column that an item is known by")
    columns: dict[str, Part] = Field(description="all recorded columns")
    optional: list[str] = Field(default_factory=list, description="columns without which an item is kept")
    cleaning: list[Part]
    split: Splitting
    fold: int = Field(0, ge=0, description="which part is held out, of those that `split` says")
    genwright: str = Field(__version__, description="a new release cleans anew: its rules may have changed")

    @property
    def recorded(self) -> dict[str, Part]:
        """The columns, the content first."""
        return content_first(self.columns, self.content)


def check(spec: CleanSpec) -> None:
    """Raises RecipeError when a rule does not suit the content."""
    _rules(spec, build_modality(spec.columns[spec.content]))


def clean(spec: CleanSpec, raw: Path, out: Path) -> DatasetContents:
    """Write the files `dataset.py` lists into `out`, whole or not at all; equal inputs give equal bytes, memory stays flat.

    Raises DataError when there is nothing collected or too little is left for the split.
    """
    with replacing(out) as folder:
        sieve = Sieve(spec)
        _sort(sieve, raw, folder)
        for name, column in sieve.columns.items():
            learn(folder, name, column.modality)
        written = Writer(folder, sieve.columns)
        written.write()
        contents = _contents(sieve, written)
        stored.write(folder / CONTENTS, contents)
    return contents


class Sieve:
    """Judges entries by what the content requires, then by the recipe's rules in order, and counts."""

    def __init__(self, spec: CleanSpec) -> None:
        self.spec = spec
        self.columns = {name: Recorded(build_modality(part), name in spec.optional) for name, part in spec.recorded.items()}
        self.content = next(iter(self.columns.values())).modality
        self.kept, self.dropped = Counter[Side](), Counter[str]()
        self.example: dict[str, str] = {}
        self._rules = _rules(spec, self.content)
        self._labels = [name for name, column in self.columns.items() if isinstance(column.modality.outline, Label)]
        self._given = tuple(name for name in list(self.columns)[1:] if name not in self._labels)
        self._held_out: dict[bytes, Side] = {}

    def entry(self, item: Item, side: Side) -> Entry:
        """An item on its way through."""
        label = b"\0".join(item.columns.get(name, b"") for name in self._labels)
        return Entry(item, side, self.content, label if label.strip(b"\0") else b"", self._given)

    def judge(self, entry: Entry) -> tuple[str, str] | None:
        """None, or the rule that drops the entry and its reason."""
        verdict = self._verdict(entry)
        if verdict is None:
            self.kept[entry.side] += 1
            if entry.side != "train":
                self._held_out.setdefault(entry.meaning, entry.side)
        else:
            self.dropped[verdict[0]] += 1
            self.example.setdefault(verdict[0], f"{entry.item.name}: {verdict[1]}")
        return verdict

    def _verdict(self, entry: Entry) -> tuple[str, str] | None:
        try:
            if reason := self.content.keep(entry.value):
                return "content", reason
            for name, column in list(self.columns.items())[1:]:
                if not column.optional and (reason := _fault(column.modality, entry.item.columns.get(name))):
                    return name, reason
            for rule in self._rules:
                if reason := rule.reason(entry):
                    return rule.name, reason
        except Unreadable as error:
            return "corrupt", str(error)
        holder = self._held_out.get(entry.meaning, entry.side)
        return ("leak", f"the same content is held out for {holder}") if holder != entry.side else None


def _fault(modality: Modality, data: bytes | None) -> str | None:
    """None, or why a column that an item must have cannot be used."""
    if readable(modality, data) is not None:
        return None
    if data is None:
        return "the item lacks it"
    try:
        return str(modality.keep(modality.read(data)))
    except Unreadable as error:
        return f"cannot be read: {error}"


def _rules(spec: CleanSpec, modality: Modality) -> list[Filter]:
    rules = []
    for part in spec.cleaning:
        kind = filters.get(part.kind)
        if reason := kind.applies(modality):
            raise RecipeError(
                f"The rule {part.kind!r} does not suit {modality.name}: it {reason}.", do="take it out of `cleaning`"
            )
        rules.append(kind(kind.Options.model_validate(part.options)))
    return rules


def _sort(sieve: Sieve, raw: Path, folder: Path) -> None:
    """Every raw item into `items-*` or `quarantine-*`. Raises DataError when too little is kept."""
    fields = shards.schema(sieve.columns, "side"), shards.schema(sieve.columns, "side", "rule", "reason")
    with Shards(folder, "items", fields[0]) as kept, Shards(folder, "quarantine", fields[1]) as dropped:
        for entry in _entries(sieve, raw):
            verdict = sieve.judge(entry)
            if verdict is None:
                kept.add(shards.row(entry.item, side=entry.side))
            else:
                dropped.add(shards.row(entry.item, side=entry.side, rule=verdict[0], reason=verdict[1]))
    collected = shards.count(raw, "items")
    if collected != sieve.kept.total() + sieve.dropped.total():
        raise DataError(
            "The raw items changed while they were cleaned.",
            got=f"{collected:,} collected, {sieve.kept.total():,} kept, {sieve.dropped.total():,} dropped",
            do="run the command again",
        )
    if any(sieve.kept[side] < FEWEST[side] for side in SIDES):
        raise _too_little(sieve, collected)


def _entries(sieve: Sieve, raw: Path) -> Iterator[Entry]:
    """Entries of one side after the other; the items are read once a side rather than held in memory."""
    sides = _sides(sieve.spec, raw)
    for number, side in enumerate(SIDES):
        for rows in shards.batches(raw, "items", wanted=sides == number):
            for row in rows:
                yield sieve.entry(shards.item(row), side)


def _sides(spec: CleanSpec, raw: Path) -> NDArray[np.uint8]:
    """(n,) the place in SIDES of every collected item. Raises DataError when there is none."""
    told = shards.read(raw, "items", ["digest", "group", "given_side"])
    sides = (spec.split.side(place(row["digest"], row["group"]), spec.fold, row["given_side"]) for row in told)
    found = np.fromiter((SIDES.index(side) for side in sides), dtype=np.uint8)
    if not len(found):
        raise DataError(f"There are no collected items in {raw}.", do="collect them first: `genwright run RECIPE`")
    return found


def _too_little(sieve: Sieve, collected: int) -> DataError:
    kept = ", ".join(f"{side} {sieve.kept[side]:,}" for side in SIDES[::-1])
    dropped = "".join(
        f"\n           {n:,} dropped by {rule}, e.g. {sieve.example[rule]}" for rule, n in sieve.dropped.most_common()
    )
    split = sieve.spec.split
    return DataError(
        "Too little data is left to train and measure on.",
        got=f"{kept}, of {collected:,} collected{dropped}",
        allowed=f"at least {', '.join(f'{side} {n}' for side, n in FEWEST.items())}",
        do=f"add data, loosen `cleaning`, or change the shares in `split` (now {split.validation:g}, {split.test:g})",
    )


def _contents(sieve: Sieve, written: Writer) -> DatasetContents:
    return DatasetContents(
        content=next(iter(sieve.columns)),
        columns=written.contents(),
        collected=sieve.kept.total() + sieve.dropped.total(),
        splits=_by_side(sieve.kept),
        dropped=dict(sieve.dropped),
        bytes=_by_side(written.bytes),
        licences=dict(written.licences),
        sources=dict(written.sources),
    )


def _by_side(counts: Mapping[Side, int]) -> dict[Side, int]:
    return {side: counts[side] for side in SIDES[::-1]}


def _stage(recipe: str, workspace: Workspace) -> None:
    spec = stage.spec_of(CleanSpec, workspace.data / recipe / "clean.json", recipe)
    clean(spec, workspace.raw(recipe), workspace.clean(recipe))


if __name__ == "__main__":
    sys.exit(stage.run(sys.argv[1:], _stage))
