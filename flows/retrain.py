"""Retraining: what is new is collected, the champion's weights race against random ones, and the same gate decides."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Completed

from genwright.core.durable import exclusive, holder
from genwright.core.workspace import Settings, Workspace
from genwright.flows.produce import produce
from genwright.lifecycle.pending import requested
from genwright.recipes.recipe import load
from genwright.tasks.coalesce import merge
from genwright.tasks.display import say
from genwright.tasks.run_name import title

ENDED = {"promoted": "promoted", "refused": "refused", "waits": "waits for a person", "champion already": "nothing new"}


@flow(name="retrain", flow_run_name="{name}")
def retrain(name: str, why: str = "on schedule") -> State:
    """Retrain the model of a recipe. The name of the run says what came of it.

    One that finds another run of the same recipe at work is merged into it. What a killed one left unfinished is taken up
    where it stopped, on the data it had.
    """
    workspace, settings, began = Workspace(), Settings(), datetime.now(UTC)
    recipe = load(workspace.recipes / f"{name}.yaml")
    lock = workspace.lock(f"run-{name}")
    if holder(lock) is not None:
        title(f"{name}: merged")
        return Completed(message=f"{name} is being trained already; what is new now is seen by the next one")
    with (
        exclusive(lock, busy=f"Another process is running {name} in this workspace."),
        requested(workspace, name, why, str(flow_run.id), _cancelled) as request,
    ):
        say("retrain", f"{name}: {request.why}")
        outcome = produce.fn(recipe, workspace, settings, request.data, going_on=True)
        merge(name, began)
    title(f"{name}: {ENDED[outcome.what]}")
    return Completed(message=outcome.verdict)


def _cancelled(run: str) -> bool:
    """Whether a person cancelled a flow run."""
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(run).state  # type: ignore[arg-type]
        except ObjectNotFound:  # of another server
            return False
    return state is not None and (state.is_cancelled() or state.is_cancelling())
