"""Clean: a split, encoded data set and the version that names its bytes, as a data stage."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.dvc.data import Data
from genwright.core import stored
from genwright.core.shapes import Tokens
from genwright.core.workspace import Settings, Workspace
from genwright.data import quarantine, shards
from genwright.data.dataset import Dataset
from genwright.data.records import DatasetVersion, contents_of
from genwright.data.view import View
from genwright.evaluation.memo import Memo
from genwright.evaluation.metrics.base import ENOUGH, FEWEST
from genwright.evaluation.poisoning import planted
from genwright.recipes import stages
from genwright.recipes.recipe import Recipe
from genwright.tasks.display import say

RARE = 5  # items of a class below which little can be learned of it


@task(name="clean", cache_policy=NO_CACHE)
def clean(recipe: Recipe, workspace: Workspace) -> DatasetVersion:
    """Have DVC run the stage where the raw items or the rules changed. The bytes are verified before they are handed on,
    and pushed where a remote is set."""
    stored.write(workspace.data / recipe.name / "clean.json", stages.cleaning(recipe))
    data = Data(workspace)
    digest = data.reproduce(recipe.name, "clean")
    data.stages.verify(recipe.name, digest)
    data.stages.push(recipe.name)
    version = described(recipe, workspace, digest)
    tell(version, workspace.clean(recipe.name), recipe.split.folds)
    warn(version, workspace)
    return version


def tell(version: DatasetVersion, folder: Path, folds: int = 1) -> None:
    """What was kept, what was left out and why, a line each; how few there are to measure on, of those of all `folds`."""
    contents, examples = version.contents, quarantine.examples(folder, each=1)
    sides = ", ".join(f"{n:,} {side}" for side, n in contents.splits.items())
    say("clean", f"{sum(contents.splits.values()):,} of {contents.collected:,} items kept ({sides})")
    for rule, n in sorted(contents.dropped.items(), key=lambda told: -told[1]):
        why = "".join(f", e.g. {first.name!r}: {first.reason}" for first in examples.get(rule, []))
        say("clean", f"{n:,} left out by {rule}{why}; `genwright data show {version.recipe}` has more")
    if (few := _few(contents.splits["test"], folds)) is not None:
        say("clean", f"{few}add items, or decide yourself: `genwright promote {version.recipe} VERSION`")
    for name, column in contents.columns.items():
        if column.missing:
            say("clean", f"{column.missing:,} of the kept have no {name}")
        if rare := [label for label, n in (column.label_counts or {}).items() if n < RARE]:
            told = ", ".join(rare[:3]) + (" and more" if len(rare) > 3 else "")
            say("clean", f"{len(rare)} of {name} have fewer than {RARE} items, too few to learn: {told}")


def _few(test: int, folds: int) -> str | None:
    """None, or that there are few to measure on, what that means, and the first half of what to do."""
    if folds > 1 and test < FEWEST:
        return f"{test} test items in a part are too few for any measure: set `split.folds` lower, "
    if test * folds >= ENOUGH:
        return None
    worth = "measures are unsure" if test >= FEWEST else "no measure can be taken, so no version can beat another"
    crossed = "" if folds > 1 else "set `split.folds` to test on every item (the training is then done as many times), "
    return f"{test * folds} test items are few: {worth}; {crossed}"


def warn(version: DatasetVersion, workspace: Workspace) -> None:
    """Name texts that somebody may have planted."""
    contents, folder = version.contents, workspace.clean(version.recipe)
    if not isinstance(contents.kind.shape, Tokens):
        return
    dataset = Dataset(folder, View(makes=contents.content))
    found = planted(dataset, Memo.of(dataset, Settings(workspace=workspace.root)))
    if found is None:
        return
    digests = [str(dataset.train.digests[row, 0].decode()) for row in found.rows[:3]]
    names = {row["digest"]: row["name"] for row in shards.read(folder, "items", ["digest", "name"]) if row["digest"] in digests}
    where = f"{found.elsewhere:,} others" if found.elsewhere else "no other"
    shared = " and ".join(repr(word) for word in found.words[:3])
    told = f"{len(found.rows):,} training texts are unlike the rest and share {shared}, which stands in {where}"
    say("clean", f"{told}, e.g. {', '.join(names[digest] for digest in digests)}: see whether they belong, or were planted")


@task(name="restore", cache_policy=NO_CACHE)
def restore(recipe: Recipe, workspace: Workspace, digest: str) -> DatasetVersion:
    """Bring an old data version back instead of collecting and cleaning anew; `digest` may be the beginning of its hash."""
    return described(recipe, workspace, Data(workspace).restore(recipe.name, digest).digest)


def described(recipe: Recipe, workspace: Workspace, digest: str) -> DatasetVersion:
    """The record of the data version that lies in the workspace now."""
    folder = workspace.clean(recipe.name)
    return DatasetVersion(
        recipe=recipe.name,
        digest=digest,
        path=folder.relative_to(workspace.root).as_posix(),
        contents=contents_of(folder),
    )
