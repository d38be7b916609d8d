"""What there is to see between trainings: the items that came since, and how the champion does on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from genwright.core import stored
from genwright.core.workspace import Settings, Workspace
from genwright.data import clean, shards
from genwright.data.collect import identity
from genwright.data.dataset import Dataset
from genwright.data.encode import Recorded, Writer
from genwright.data.item import Item
from genwright.data.records import CONTENTS
from genwright.data.shards import Shards
from genwright.evaluation.evaluate import evaluate
from genwright.evaluation.metrics.base import ranked
from genwright.evaluation.records import Evaluation
from genwright.models.bundle import load
from genwright.models.composition import is_composition
from genwright.models.device import prepare
from genwright.recipes import stages
from genwright.recipes.recipe import Recipe

MOST = 2000  # new items that are looked into; all are counted
LOSSES = 256  # items whose loss is taken


@dataclass
class WatchedChampion:
    """What triggers see of a champion and its sources. `folder` is a place to write, `bundle` the champion's, `uses` where the
    versions lie that it pins, `trained_on` its data as it reads it, `seen` the hashes of all items the last training looked
    at, `tried` when that was."""

    recipe: Recipe
    workspace: Workspace
    settings: Settings
    bundle: Path
    uses: Mapping[str, Path]
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
        sieve = clean.Sieve(stages.cleaning(self.recipe))
        with Shards(out, "items", shards.schema(sieve.columns, "side")) as kept:
            for row in shards.read(self.folder, "new"):
                item = shards.item(row)
                if sieve.judge(sieve.entry(item, "test")) is None:
                    kept.add(shards.row(item, side="test"))
        count = sieve.kept.total()
        if not count:
            return None
        columns = {name: Recorded(self.trained_on.modalities[name], column.optional) for name, column in sieve.columns.items()}
        Writer(out, columns).write()
        old = self.trained_on.folder
        for file in old.iterdir():
            if file.name.startswith(("train.", "validation.")) or file.is_dir():
                (out / file.name).unlink(missing_ok=True)
                (out / file.name).symlink_to(file.resolve())
        contents = self.trained_on.contents
        counts = contents.model_copy(update={"splits": {**contents.splits, "test": count}})
        stored.write(out / CONTENTS, counts)
        return Dataset(out, self.trained_on.view)

    @property
    def measure(self) -> str:
        """The measure that compares families on what the recipe makes."""
        return ranked(self.trained_on.signature.asked(self.recipe.outcome.first)).name

    def days_since_training(self) -> float:
        """Since the champion was made, or a retraining was last tried."""
        return (datetime.now(UTC) - self.tried).total_seconds() / 86400

    def score(self, data: Dataset) -> Evaluation:
        """The champion on the test items of `data`, by the measure alone."""
        return evaluate(self.bundle, data, self.recipe.evaluation, self.settings, only={self.measure}, uses=self.uses)

    def losses(self, data: Dataset) -> NDArray[np.float64] | None:
        """(n,) its loss of each of some test items, an item's noise the same every time; None with several players
        or several models."""
        if is_composition(self.bundle):
            return None
        device = prepare(self.settings)
        model = load(self.bundle, str(device)).model
        if model.players != ("model",):
            return None
        found = []
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
            for row in data.test.subset(LOSSES):  # one by one: a loss is the mean of its batch
                torch.manual_seed(int(row))
                found.append(float(model.loss(data.test.items(np.array([row])).to(device), "model")))
        return np.array(found)

    def _new_items(self) -> Iterator[Item]:
        met: set[str] = set()
        for item in stages.items(self.recipe, self.workspace):
            known = identity(item.digests.values())
            if known not in self.seen and known not in met:
                met.add(known)
                yield item


def seen(folder: Path) -> frozenset[str]:
    """What identifies every item that a cleaned folder kept or put into quarantine."""
    rows = (row for stem in ("items", "quarantine") for row in shards.read(folder, stem, ["digests"]))
    return frozenset(identity(row["digests"]) for row in rows)
