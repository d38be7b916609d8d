"""What Prefect does by itself when something happens to a run or a model."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger
from prefect.events.actions import ChangeFlowRunState, RunDeployment

LEFT = "its worker was gone when the next one started"
"""What is said of a run that a new worker found: that worker takes it up itself."""

SILENT_SECONDS = 120  # without a heartbeat, of which there is one every thirty seconds, a run counts as dead


async def automations(client: PrefectClient) -> None:
    """Install, or bring up to date, what sees to runs whose process died: silence makes a run Crashed, and a crashed
    retraining is started again, which takes up what is left. Those that died with their worker the next worker takes up."""
    silent = AutomationCore(
        name="genwright: a run that went silent has crashed",
        description="Runs send a heartbeat every 30 seconds.",
        trigger=EventTrigger(
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            match_related={"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.genwright"},
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            posture="Proactive",
            threshold=1,
            within=timedelta(seconds=SILENT_SECONDS),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat: its process is gone")],
    )
    crashed = AutomationCore(
        name="genwright: a crashed retraining is taken up again",
        description="It goes on at the last finished stage and step.",
        trigger=_retraining("Crashed", {"prefect.state-message": [f"!{LEFT}"]}),
        actions=[RunDeployment(source="inferred")],
    )
    for wanted in (silent, crashed):
        await _install(client, wanted)


async def notifications(client: PrefectClient, deployment: UUID | None) -> None:
    """Let the deployment of the `notify` flow tell people of versions that were promoted, refused or wait, of drift, and of
    retrainings that failed; None takes that away."""
    told, failed = "genwright: tell what became of a version, and of drift", "genwright: tell of a retraining that failed"
    if deployment is None:
        for name in (told, failed):
            await _remove(client, name)
        return
    became = EventTrigger(expect={"genwright.model.*", "genwright.watch.drift"}, posture="Reactive", threshold=1)
    await _install(client, AutomationCore(name=told, trigger=became, actions=[_tell(deployment, "{{ event.payload.why }}")]))
    broke = _retraining("Failed")
    message = "{{ event.payload.validated_state.message }}"
    await _install(client, AutomationCore(name=failed, trigger=broke, actions=[_tell(deployment, message)]))


def _retraining(state: str, match: dict[str, list[str]] | None = None) -> EventTrigger:
    """When a run of the flow `retrain` comes to a state, and its labels `match`."""
    return EventTrigger(
        match={"prefect.resource.id": ["prefect.flow-run.*"], **(match or {})},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": "retrain"},
        expect={f"prefect.flow-run.{state}"},
        posture="Reactive",
        threshold=1,
    )


def _tell(deployment: UUID, text: str) -> RunDeployment:
    parameters = {"event": "{{ event.event }}", "name": "{{ event.resource.name }}", "text": text}
    return RunDeployment(deployment_id=deployment, parameters=parameters)


async def _install(client: PrefectClient, automation: AutomationCore) -> None:
    """Create an automation in place of what has its name."""
    await _remove(client, automation.name)
    await client.create_automation(automation)


async def _remove(client: PrefectClient, name: str) -> None:
    for old in await client.read_automations_by_name(name):
        await client.delete_automation(old.id)
