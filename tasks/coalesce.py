"""Retrainings that were asked for while one was at work: one run stands for all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Scheduled

from genwright.tasks.display import say

DROPPED = "Deployment concurrency limit reached."  # Prefect's words for a run dropped because another one is at work
EARLIER = timedelta(minutes=5)  # before a run begins: a burst that led to it may have begun that much sooner
LATER = timedelta(seconds=20)  # after which what came too late for this run is looked at


@task(name="merge", cache_policy=NO_CACHE)
def merge(name: str, began: datetime) -> int:
    """Say of the other requests that this run, which looked at the data when it `began`, stands for them; how many.

    What was asked for after that may be about newer data, so one more run is asked for then.
    """
    if deployment.id is None:
        return 0
    with get_client(sync_client=True) as client:
        since = max([began - EARLIER, *_before(client)])
        dropped, (events, asked) = _dropped(client), _events(client, name, since)
        for run in dropped:
            merged: State[None] = Cancelled(message=f"the run {flow_run.id} stands for it")
            client.set_flow_run_state(run.id, merged, force=True)
            client.update_flow_run(run.id, name=f"{name}: merged")
        moments = [run.created for run in dropped if run.created] + [datetime.fromisoformat(e["occurred"]) for e in events]
        late = [moment for moment in moments if moment > began]
        if late:
            soon: State[None] = Scheduled(scheduled_time=datetime.now(UTC) + LATER)
            why = f"{len(late)} request(s) came after the data had been looked at"
            client.create_flow_run_from_deployment(deployment.id, parameters={"name": name, "why": why}, state=soon)
    others = max(0, len(dropped) + max(0, asked - 1) - len(late))
    if others:
        say("merge", f"{others} more requests to retrain {name} are merged into this one")
    return others


def _dropped(client: SyncPrefectClient) -> list[FlowRun]:
    """Runs of this deployment that were dropped because one was at work."""
    cancelled = _runs(client, FlowRunFilterStateName(any_=["Cancelled"]))
    return [run for run in cancelled if run.state is not None and run.state.message == DROPPED]


def _before(client: SyncPrefectClient) -> list[datetime]:
    """When the last of the earlier runs of this deployment began to look at the data: it stood for what had been asked until
    then."""
    runs = _runs(client, FlowRunFilterStateName(not_any_=["Cancelled"]), limit=2)
    return [run.start_time for run in runs if run.start_time is not None and str(run.id) != flow_run.id]


def _runs(client: SyncPrefectClient, states: FlowRunFilterStateName, limit: int | None = None) -> list[FlowRun]:
    """Runs of this deployment in some states, those that began last first."""
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(name=states)),
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id])),
        sort=FlowRunSort.START_TIME_DESC,
        limit=limit,
    )


def _events(client: SyncPrefectClient, name: str, since: datetime) -> tuple[list[dict[str, Any]], int]:
    """The newest events since a moment that ask for a retraining of this recipe, and how many there are in all."""
    wanted = {
        "event": {"prefix": ["genwright.watch.", "genwright.retrain"]},
        "resource": {"id": [f"genwright.recipe.{name}"]},
        "occurred": {"since": since.isoformat()},
    }
    page = client.request("POST", "/events/filter", json={"filter": wanted, "limit": 50}).json()
    return page["events"], page["total"]
