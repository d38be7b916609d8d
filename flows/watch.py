"""Watching: measure what may call for a retraining, and emit an event for what does."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from genwright.core.workspace import Settings, Workspace
from genwright.recipes.recipe import load
from genwright.tasks.run_name import title
from genwright.tasks.watch import measure, tell


@flow(name="watch", flow_run_name="{name}")
def watch(name: str) -> State:
    """Look at the sources of a recipe and at its champion. The name of the run says what fired; the retraining itself is
    started by an automation."""
    workspace, settings = Workspace(), Settings()
    recipe = load(workspace.recipes / f"{name}.yaml")
    fired = tell(recipe, measure(recipe, workspace, settings))
    title(f"{name}: {', '.join(f.trigger for f in fired) or 'quiet'}")
    return Completed(message="; ".join(f"{f.trigger}: {f.why}" for f in fired) or "no trigger fired")
