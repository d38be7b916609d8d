"""What commands ask of a running Prefect server: start a retraining, answer an approval, list schedules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from genwright.adapters.prefect import server
from genwright.core.errors import ServiceError
from genwright.core.record import Record
from genwright.core.workspace import Workspace

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

LIVE = ("PENDING", "RUNNING", "PAUSED")
NOBODY = "start `genwright up`, or set PREFECT_API_URL to a server that serves this workspace"


class Started(Record):
    """A retraining that was asked for. `merged` says that one was under way, which stands for it."""

    flow_run: str
    url: str
    merged: bool


class Deployments:
    """The deployments of a workspace on a server. Every method raises ServiceError where it does not answer."""

    def __init__(self, url: str, client: SyncPrefectClient) -> None:
        self.url, self._client = url, client

    def retrain(self, name: str, why: str) -> Started:
        """Start a retraining of a recipe, unless one is under way."""
        deployment = self._id(name)
        running = self._runs(deployment, LIVE)
        if running:
            return Started(flow_run=str(running[0].id), url=self._page(running[0].id), merged=True)
        run = self._client.create_flow_run_from_deployment(deployment, parameters={"name": name, "why": why})
        return Started(flow_run=str(run.id), url=self._page(run.id), merged=False)

    def served(self, name: str) -> bool:
        """Whether there is a deployment that retrains this recipe."""
        from prefect.exceptions import ObjectNotFound

        try:
            self._id(name)
        except ObjectNotFound:
            return False
        return True

    def answer(self, name: str, decision: str, why: str, who: str) -> str | None:
        """Answer the flow run that waits for a person; its address, or None where none waits."""
        from prefect.flow_runs import resume_flow_run

        waiting = self._runs(self._id(name), ("PAUSED",))
        if not waiting:
            return None
        resume_flow_run(waiting[0].id, run_input={"decision": decision, "why": why, "who": who})
        return self._page(waiting[0].id)

    def next_run(self, name: str) -> datetime | None:
        """When the next retraining is due by schedule."""
        due = [run.expected_start_time for run in self._runs(self._id(name), ("SCHEDULED",)) if run.auto_scheduled]
        later = [moment for moment in due if moment is not None and moment > datetime.now(UTC)]
        return min(later, default=None)

    def _id(self, name: str) -> Any:
        return self._client.read_deployment_by_name(f"retrain/{name}").id

    def _runs(self, deployment: Any, states: tuple[str, ...]) -> list[FlowRun]:
        from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, FlowRunFilter, FlowRunFilterState
        from prefect.client.schemas.filters import FlowRunFilterStateType as StateFilter
        from prefect.client.schemas.objects import StateType

        wanted = FlowRunFilterState(type=StateFilter(any_=[StateType(state) for state in states]))
        return self._client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=wanted),
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        )

    def _page(self, run: Any) -> str:
        return f"{self.url.removesuffix('/api')}/runs/flow-run/{run}"


@contextmanager
def deployments(workspace: Workspace) -> Iterator[Deployments | None]:
    """The deployments on the server that is configured or up, for the length of the block; None where there is neither.

    Raises ServiceError when the server does not answer.
    """
    url = server.address(workspace)
    if url is None:
        yield None
        return
    problem = server.answers(url)
    if problem is not None:
        raise ServiceError("Prefect does not answer.", got=f"{url}: {problem}", do=NOBODY)
    server.settle({**server.environment(workspace), "PREFECT_API_URL": url})
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException

    try:
        with get_client(sync_client=True) as client:
            yield Deployments(url, client)
    except PrefectException as error:
        raise ServiceError("Prefect refused.", got=f"{url}: {error}", do="look at its page") from error
