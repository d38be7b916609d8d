"""Stage: what a retraining may go on from."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright import __version__
from genwright.adapters.mlflow.lineage import tainted
from genwright.adapters.mlflow.registry import Registry
from genwright.core.workspace import Workspace
from genwright.data.dataset import Dataset
from genwright.data.records import DatasetVersion
from genwright.lifecycle.records import Outcome
from genwright.lifecycle.run import Base
from genwright.models import bundle, composition
from genwright.models.reencode import incomparable
from genwright.recipes.members import Member
from genwright.recipes.recipe import Recipe
from genwright.tasks.display import say


@task(name="base", cache_policy=NO_CACHE)
def base(recipe: Recipe, member: Member, workspace: Workspace, version: DatasetVersion) -> Base | None:
    """The champion, or the version of this model that it pins, its files verified; None where there is none or it cannot
    take the data, said aloud: then every family races as in a first run."""
    registry = Registry(workspace)
    champion = registry.champion(recipe.name)
    if champion is None:
        say("base", "there is no champion to go on from")
        return None
    folder, uses = registry.versions.opened(champion)
    if known := tainted(registry, champion):
        reason: str | None = f"it learned from what is to be forgotten ({', '.join(entry.name for entry in known)})"
    elif member.key and member.key not in uses:
        reason = f"it has no part called {member.key}"
    else:
        if member.key:
            pinned = composition.pinned(folder)[member.key]
            champion, folder = registry.versions.get(pinned.model, pinned.version), uses[member.key]
        kept = workspace.derived(recipe.name)
        reason = incomparable(folder, Dataset(workspace.root / version.path, member.view, kept))
    if reason is not None:
        say("base", f"{champion.name} version {champion.version} is not gone on from: {reason}")
        return None
    return Base(champion, folder)


def unchanged(recipe: Recipe, workspace: Workspace, version: DatasetVersion) -> Outcome | None:
    """The outcome of a retraining that has nothing to learn: the champion was made from this data, by this recipe, by this
    release, and learned from nothing that is to be forgotten. None where one of them changed."""
    registry = Registry(workspace)
    champion = registry.champion(recipe.name)
    if champion is None or (champion.data, champion.recipe) != (version.digest, recipe.identity):
        return None
    folder = registry.versions.download(champion)
    told = composition.info(folder) if composition.is_composition(folder) else bundle.info(folder)
    if told.genwright != __version__ or tainted(registry, champion):
        return None
    verdict = f"{champion.name} version {champion.version} stays the champion: same recipe, same data, same release."
    say("base", verdict)
    registry.settle(champion.name)
    return Outcome(
        name=champion.name,
        data=version.digest,
        version=champion.version,
        what="champion already",
        champion=champion.version,
        verdict=verdict,
        evaluation=None,
        steps_trained=0,
    )
