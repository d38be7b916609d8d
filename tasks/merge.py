"""Retrainings that were asked for while one was at work: they are dropped by Prefect, and said to be merged here."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.objects import State
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled

from tasks.display import say

DROPPED = "Deployment concurrency limit reached."  # Prefect's words for a run dropped because another one is at work


@task(name="merge", cache_policy=NO_CACHE)
def merge(name: str) -> int:
    """Name the dropped runs of this deployment Merged, with the run that stands for them; how many there were."""
    if deployment.id is None:
        return 0
    with get_client(sync_client=True) as client:
        cancelled = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Cancelled"]))),
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id])),
        )
        dropped = [run for run in cancelled if run.state is not None and run.state.message == DROPPED]
        for run in dropped:
            merged: State[None] = Cancelled(name="Merged", message=f"the run {flow_run.id} stands for it")
            client.set_flow_run_state(run.id, merged, force=True)
    if dropped:
        say("merge", f"{len(dropped)} more requests to retrain {name} are merged into this one")
    return len(dropped)
