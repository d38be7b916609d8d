"""What there is to see between trainings: the items that came since, and how the champion does on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from genwright.core.workspace import Settings, Workspace
from genwright.data import clean, shards
from genwright.data.collect import identity, items
from genwright.data.dataset import Dataset
from genwright.data.encode import Recorded, Writer
from genwright.data.filters.base import Entry
from genwright.data.item import Item
from genwright.data.shards import Shards
from genwright.models import bundle
from genwright.models.records import ModelVersion
from genwright.recipes.recipe import Recipe

MOST = 2000  # new items that are looked into; all are counted


@dataclass
class Watched:
    """A champion and its sources as they are now. `folder` is a place to write, `trained_on` the champion's data as it
    reads it, `seen` the hashes of all items the last training looked at, `tried` when that was."""

    recipe: Recipe
    workspace: Workspace
    settings: Settings
    champion: ModelVersion
    bundle: Path
    trained_on: Dataset
    seen: frozenset[str]
    tried: datetime
    folder: Path

    @cached_property
    def new(self) -> int:
        """How many items the sources hold that the last training did not look at; writes the first of them down."""
        count = 0
        with Shards(self.folder, "new", shards.schema(self.recipe.recorded)) as out:
            for item in self._new_items():
                if count < MOST:
                    out.add(shards.row(item))
                count += 1
        return count

    @property
    def known(self) -> int:
        """How many items the last training looked at."""
        return len(self.seen)

    @cached_property
    def fresh(self) -> Dataset | None:
        """The champion's data with the new items in place of its test items, as the champion reads them; None where no
        new item is fit for use."""
        if not self.new:
            return None
        out = self.folder / "fresh"
        out.mkdir()
        loaded = bundle.load(self.bundle)
        sieve = clean.Sieve(clean.specify(self.recipe))
        with Shards(out, "items", shards.schema(sieve.columns, "side")) as kept:
            for row in shards.read(self.folder, "new"):
                item = shards.item(row)
                if sieve.judge(Entry(item, "test", sieve.content)) is None:
                    kept.add(shards.row(item, side="test"))
        count = sieve.kept.total()
        if not count:
            return None
        columns = {name: Recorded(loaded.modalities[name], column.optional) for name, column in sieve.columns.items()}
        Writer(out, columns).write()
        old = self.trained_on.folder
        for file in old.iterdir():
            if file.name.startswith(("train.", "validation.")) or file.is_dir():
                (out / file.name).unlink(missing_ok=True)
                (out / file.name).symlink_to(file.resolve())
        contents = self.trained_on.contents
        counts = contents.model_copy(update={"splits": {**contents.splits, "test": count}})
        (out / "dataset.json").write_text(counts.model_dump_json())
        return Dataset(out, loaded.info.view)

    def days_since_training(self, now: datetime | None = None) -> float:
        """Since the champion was made, or a retraining was last tried."""
        return ((now or datetime.now(UTC)) - self.tried).total_seconds() / 86400

    def _new_items(self) -> Iterator[Item]:
        met: set[str] = set()
        for item in items(self.recipe, self.workspace):
            known = identity(item.digests.values())
            if known not in self.seen and known not in met:
                met.add(known)
                yield item


def seen(folder: Path) -> frozenset[str]:
    """What identifies every item that a cleaned folder kept or put into quarantine."""
    rows = (row for stem in ("items", "quarantine") for row in shards.read(folder, stem, ["digests"]))
    return frozenset(identity(row["digests"]) for row in rows)
