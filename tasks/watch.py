"""Watching: measure the triggers of a recipe, and say so where one fires."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from genwright.adapters.dvc.data import Data
from genwright.adapters.mlflow.registry import Registry
from genwright.core.workspace import Settings, Workspace
from genwright.data.dataset import Dataset
from genwright.lifecycle.run import newest
from genwright.lifecycle.watch import WatchedChampion, seen
from genwright.models.records import ModelVersion
from genwright.models.reencode import as_read_by
from genwright.recipes.recipe import Recipe
from genwright.tasks.display import say
from genwright.triggers.base import Finding, triggers


@task(name="measure triggers", cache_policy=NO_CACHE)
def measure(recipe: Recipe, workspace: Workspace, settings: Settings) -> list[Finding]:
    """What every trigger of the recipe finds; nothing where there is no champion yet."""
    champion = Registry(workspace).champion(recipe.name)
    if champion is None:
        say("watch", f"{recipe.name} has no champion yet; there is nothing to watch")
        return []
    place = workspace.state / "watch"
    place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place, prefix=f"{recipe.name}-") as folder:
        watched = _watched(recipe, workspace, settings, champion, Path(folder))
        found = []
        for part in recipe.watch.triggers:
            kind = triggers.get(part.kind)
            found.append(kind(kind.Options.model_validate(part.options)).check(watched))
    for finding in found:
        say("watch", f"{recipe.name}: {finding.trigger} {'fires' if finding.fired else 'is quiet'}: {finding.why}")
    return found


def _watched(recipe: Recipe, workspace: Workspace, settings: Settings, champion: ModelVersion, folder: Path) -> WatchedChampion:
    registry, data = Registry(workspace), Data(workspace)
    bundle, uses = registry.versions.opened(champion)
    trained_on = Dataset(data.export(recipe.name, champion.data))
    tried, looked_at = registry.versions.made(champion), champion.data
    last = newest(workspace, recipe.name)
    if last is not None:
        moment = datetime.fromtimestamp((last[0] / "run.json").stat().st_mtime, UTC)
        tried, looked_at = max((tried, looked_at), (moment, last[1].data))
    return WatchedChampion(
        recipe=recipe,
        workspace=workspace,
        settings=settings,
        bundle=bundle,
        uses=uses,
        trained_on=as_read_by(bundle, trained_on, workspace.state / "datasets" / recipe.name / f"as-{champion.weights[:16]}"),
        seen=seen(data.export(recipe.name, looked_at)),
        tried=tried,
        folder=folder,
    )


@task(name="tell", cache_policy=NO_CACHE)
def tell(recipe: Recipe, found: list[Finding]) -> list[Finding]:
    """Emit an event for every trigger that fired, and leave a table of all on the page of the flow run."""
    rows = [{"trigger": f.trigger, "fired": f.fired, "why": f.why} for f in found]
    key = "".join(c if c.isalnum() else "-" for c in recipe.name)
    create_table_artifact(rows, key=f"genwright-watch-{key}", description=f"What was watched of {recipe.name}")
    fired = [finding for finding in found if finding.fired]
    for finding in fired:
        emit_event(
            event=f"genwright.watch.{finding.trigger}",
            resource={"prefect.resource.id": f"genwright.recipe.{recipe.name}", "prefect.resource.name": recipe.name},
            payload={"why": f"{finding.trigger}: {finding.why}", "name": recipe.name},
        )
    return fired
