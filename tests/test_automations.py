"""What Prefect does by itself for runs that died, on a real server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Running

from genwright.adapters.prefect import server
from genwright.adapters.processes.children import free_port, keeper
from genwright.core.workspace import Workspace
from genwright.flows import automations

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[str]:
    """A Prefect server with its services."""
    home, port = str(tmp_path / "prefect"), free_port()
    with keeper() as kept:
        url = f"http://127.0.0.1:{port}/api"
        variables = {**server.environment(Workspace(tmp_path)), "PREFECT_HOME": home}
        child = kept.start("prefect", server.command(port), lambda line: None, **variables)
        child.wait(lambda: server.answers(url), tmp_path)
        with temporary_settings({PREFECT_API_URL: url}):
            yield url
        child.stop()


async def begin() -> FlowRun:
    """A run of a deployment of the flow `retrain`, of which nothing is heard any more."""
    async with get_client() as client:
        await automations.automations(client)
        await automations.automations(client)  # installed once, however often
        assert len(await client.read_automations()) == 2
        flow = await client.create_flow_from_name("retrain")
        deployment = await client.create_deployment(flow, name="shapes", tags=["genwright"], parameters={"name": "shapes"})
        run = await client.create_flow_run_from_deployment(deployment, tags=["genwright"])
        await client.set_flow_run_state(run.id, Running(), force=True)
        return run


async def states(deployment: UUID) -> list[StateType]:
    async with get_client() as client:
        runs = await client.read_flow_runs()
        return [run.state.type for run in runs if run.deployment_id == deployment and run.state is not None]


def test_a_run_that_falls_silent_is_crashed_and_taken_up(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automations, "SILENT_SECONDS", 10)
    monkeypatch.setitem(os.environ, "PREFECT_API_URL", api)
    run = anyio.run(begin)
    assert run.deployment_id is not None
    flow = {"prefect.resource.id": f"prefect.flow.{run.flow_id}", "prefect.resource.role": "flow"}
    related = [
        {**flow, "prefect.resource.name": "retrain"},
        {"prefect.resource.id": "prefect.tag.genwright", "prefect.resource.role": "tag"},
    ]
    heartbeat = {
        "id": str(uuid4()),
        "event": "prefect.flow-run.heartbeat",
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name},
        "related": related,
    }
    httpx.post(f"{api}/events", json=[heartbeat], timeout=30).raise_for_status()
    end = time.monotonic() + 90
    while sorted(found := anyio.run(states, run.deployment_id)) != [StateType.CRASHED, StateType.SCHEDULED]:
        assert time.monotonic() < end, found
        time.sleep(1)
