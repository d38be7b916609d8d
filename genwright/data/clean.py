"""From raw items to a data set: what is unfit goes to quarantine with its reason, the rest is split and encoded.

Nothing is deleted: collected = kept + dropped by reason. An item's side is decided by its content hash, so it never
moves when data grows. Test items are judged first, then validation, then training items: of two alike on different
sides the training item is dropped, so nothing that is held out is ever trained on.

An item whose condition is missing or unreadable is kept where the condition can say so (a label: NO_LABEL, as in
semi-supervised training), and goes to quarantine where it cannot (a text to translate, a picture to complete).

`python -m genwright.data.clean RECIPE` is the data stage: it reads `data/RECIPE/clean.json` and `data/RECIPE/raw` and writes
`data/RECIPE/clean`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pydantic import Field

from genwright import __version__
from genwright.core.durable import replacing, write_json
from genwright.core.errors import DataError, RecipeError, Unreadable
from genwright.core.record import Part
from genwright.core.shapes import Label, Tokens
from genwright.core.stored import Stored
from genwright.core.workspace import Workspace
from genwright.data import shards, stage
from genwright.data.collect import read_items
from genwright.data.encode import SIDES, Writer, learn, readable
from genwright.data.filters.base import Entry, Filter, Side, filters
from genwright.data.modalities.base import Modality
from genwright.data.modalities.base import build as build_modality
from genwright.data.records import DatasetContents
from genwright.data.shards import ITEM, Shards
from genwright.data.split import Splitting

if TYPE_CHECKING:
    from genwright.recipes.recipe import Recipe

KEPT = ITEM.append(pa.field("side", pa.string(), nullable=False))
DROPPED = KEPT.append(pa.field("rule", pa.string(), nullable=False)).append(pa.field("reason", pa.string(), nullable=False))
FEWEST = {"train": 8, "validation": 2, "test": 2}


class CleanSpec(Stored):
    """How items are cleaned: equal specs over equal raw items give equal data sets."""

    form = "clean"

    recipe: str
    content: Part
    condition: Part | None
    cleaning: list[Part]
    split: Splitting
    genwright: str = Field(__version__, description="a new release cleans anew: its rules may have changed")


def specify(recipe: Recipe) -> CleanSpec:
    """The spec of a recipe. Raises RecipeError when a rule does not suit the content."""
    spec = CleanSpec(
        recipe=recipe.name,
        content=recipe.content,
        condition=recipe.condition,
        cleaning=recipe.cleaning,
        split=recipe.split,
    )
    _rules(spec, build_modality(spec.content))
    return spec


def clean(spec: CleanSpec, raw: Path, out: Path) -> DatasetContents:
    """Write the files `dataset.py` lists into `out`, whole or not at all; equal inputs give equal bytes, memory stays flat.

    Raises DataError when there is nothing collected or too little is left for the split.
    """
    with replacing(out) as folder:
        sieve = Sieve(spec)
        _sort(sieve, raw, folder)
        content, condition = sieve.content, sieve.condition
        learn(folder, "content", content)
        if condition is not None:
            learn(folder, "condition", condition)
        written = Writer(folder, content, condition)
        written.write()
        contents = _contents(spec, sieve, written)
        write_json(folder / "dataset.json", contents.model_dump(mode="json"))
    return contents


class Sieve:
    """Judges entries by what the content requires, then by the recipe's rules in order, and counts."""

    def __init__(self, spec: CleanSpec) -> None:
        self.spec = spec
        self.content = build_modality(spec.content)
        self.condition = build_modality(spec.condition) if spec.condition else None
        self.kept, self.dropped = Counter[Side](), Counter[str]()
        self.example: dict[str, str] = {}
        self._rules = _rules(spec, self.content)
        self._held_out: dict[bytes, Side] = {}

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
            if reason := self._condition_fault(entry.item.condition):
                return "condition", reason
            for rule in self._rules:
                if reason := rule.reason(entry):
                    return rule.name, reason
        except Unreadable as error:
            return "corrupt", str(error)
        holder = self._held_out.get(entry.meaning, entry.side)
        return ("leak", f"the same content is held out for {holder}") if holder != entry.side else None

    def _condition_fault(self, data: bytes | None) -> str | None:
        if self.condition is None or self.condition.missing() is not None or readable(self.condition, data) is not None:
            return None
        if data is None:
            return "has no condition"
        try:
            return f"its condition is {self.condition.keep(self.condition.read(data))}"
        except Unreadable as error:
            return f"its condition cannot be read: {error}"


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
    with Shards(folder, "items", KEPT) as kept, Shards(folder, "quarantine", DROPPED) as dropped:
        for entry in _entries(sieve, raw):
            row = {name: getattr(entry.item, name) for name in ITEM.names} | {"side": entry.side}
            verdict = sieve.judge(entry)
            if verdict is None:
                kept.add(row)
            else:
                dropped.add(row | {"rule": verdict[0], "reason": verdict[1]})
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
    for side in SIDES:
        for item in read_items(raw):
            if sieve.spec.split.side(item.digest) == side:
                yield Entry(item, side, sieve.content)


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


def _contents(spec: CleanSpec, sieve: Sieve, written: Writer) -> DatasetContents:
    shape = None if sieve.condition is None else sieve.condition.shape
    names: list[str] | None = None
    if sieve.condition is not None and isinstance(shape, Label):
        names = [str(sieve.condition.decode(np.asarray(place))) for place in range(shape.classes)]
    content = sieve.content.shape
    return DatasetContents(
        content=content,
        condition=shape,
        content_part=spec.content,
        condition_part=spec.condition,
        collected=sieve.kept.total() + sieve.dropped.total(),
        splits=_by_side(sieve.kept),
        dropped=dict(sieve.dropped),
        unconditioned=written.unconditioned,
        bytes=_by_side(written.bytes),
        tokens=_by_side(written.tokens) if isinstance(content, Tokens) else None,
        licences=dict(written.licences),
        sources=dict(written.sources),
        labels=names,
        label_counts=None if names is None else {name: written.labels[place] for place, name in enumerate(names)},
    )


def _by_side(counts: Mapping[Side, int]) -> dict[Side, int]:
    return {side: counts[side] for side in SIDES[::-1]}


def _stage(recipe: str, workspace: Workspace) -> None:
    spec = stage.spec_of(CleanSpec, workspace.data / recipe / "clean.json", recipe)
    clean(spec, workspace.raw(recipe), workspace.clean(recipe))


if __name__ == "__main__":
    sys.exit(stage.run(sys.argv[1:], _stage))
