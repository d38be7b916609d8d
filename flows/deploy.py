"""Recipes as deployments: when each flow runs, what starts it, and what is done about runs a dead worker left."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import ConcurrencyLimitConfig, FlowRun, State, StateType
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner
from prefect.states import Cancelled, Crashed
from prefect.types.entrypoint import EntrypointType

from genwright.adapters.prefect import manifest
from genwright.core.record import fingerprint
from genwright.core.workspace import Workspace
from genwright.flows.automations import LEFT
from genwright.flows.retrain import retrain
from genwright.flows.watch import watch
from genwright.lifecycle.pending import unfinished
from genwright.recipes.recipe import Recipe
from genwright.tasks.display import say

FLOWS: dict[str, Flow[..., Any]] = {"retrain": retrain, "watch": watch}
LIVE = (StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)


def deployments(recipe: Recipe) -> list[RunnerDeployment]:
    """What the manifest has of a recipe, for a runner in this process."""
    return [
        RunnerDeployment.from_flow(
            FLOWS[wanted.flow],
            wanted.name,
            parameters=wanted.parameters,
            schedules=[_schedule(timing) for timing in wanted.schedules],
            triggers=[DeploymentEventTrigger.model_validate(trigger) for trigger in wanted.triggers],
            concurrency_limit=ConcurrencyLimitConfig.model_validate(manifest.LIMIT),
            tags=wanted.tags,
            description=recipe.description or None,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        for wanted in manifest.deployments(recipe)
    ]


def _schedule(timing: manifest.Timing) -> Any:
    given = timing.model_dump(exclude={"active"}, exclude_none=True)
    kind = IntervalSchedule if timing.cron is None else CronSchedule
    return {"schedule": kind.model_validate(given), "active": timing.active}


class Served:
    """The deployments this worker has made, and what it finds on the server when it starts."""

    def __init__(self, runner: Runner, client: PrefectClient, workspace: Workspace) -> None:
        self.runner, self.client, self.workspace = runner, client, workspace
        self._made: dict[str, str] = {}  # recipe to fingerprint of what its deployments depend on
        self._owed: dict[str, str] = {}  # recipe to why a run is owed to it
        self._waiting: set[str] = set()  # recipes for which one waits already

    async def recover(self) -> None:
        """Before anything is served: runs whose worker died are Crashed, and slots missed meanwhile become one.

        What they leave is taken up by a run that is asked for here. Prefect's own rule for crashed runs is of no use for
        it: after a restart of the server it waits a quarter of an hour for the state that came before, which it forgot.
        """
        for flow in (retrain.name, watch.name):
            for run in await self._runs(flow, LIVE):
                state: State[Any] = Crashed(message=LEFT)
                await self.client.set_flow_run_state(run.id, state, force=True)
                say("serve", f"{flow} {_recipe_of(run)} was left behind by a worker that died")
                if flow == retrain.name:
                    self._owed.setdefault(_recipe_of(run), "the worker of the run before died")
            for run in await self._runs(flow, (StateType.SCHEDULED,)):
                due = run.expected_start_time
                if not run.auto_scheduled and flow == retrain.name:
                    self._waiting.add(_recipe_of(run))
                elif run.auto_scheduled and due is not None and due < datetime.now(UTC):
                    told = "this slot was missed; one run makes up for all missed slots"
                    merged: State[Any] = Cancelled(message=told)
                    await self.client.set_flow_run_state(run.id, merged, force=True)
                    await self.client.update_flow_run(run.id, name=f"{_recipe_of(run)}: merged")
                    if flow == retrain.name:
                        self._owed[_recipe_of(run)] = "a slot was missed while nothing was running"

    async def follow(self, recipes: list[Recipe], names: set[str]) -> None:
        """Deploy what is new or changed among the recipes, and take away what is not among the names any more."""
        for name in set(self._made) - names:
            await self._withdraw(name)
        for recipe in recipes:
            told = fingerprint(recipe.schedule, recipe.watch, recipe.description, recipe.name)
            if self._made.get(recipe.name) == told:
                continue
            for deployment in deployments(recipe):
                made = await self.runner.aadd_deployment(deployment)
                if deployment.flow_name == retrain.name and recipe.name not in self._made:
                    await self._make_up(recipe.name, made)
            if not recipe.watch.triggers:
                await self._remove(watch.name, recipe.name)
            self._made[recipe.name] = told
            say("serve", f"{recipe.name}: {recipe.schedule.words if recipe.schedule else 'retrained when asked or triggered'}")

    async def _remove(self, flow: str, name: str) -> None:
        with suppress(ObjectNotFound):
            deployment = await self.client.read_deployment_by_name(f"{flow}/{name}")
            await self.client.delete_deployment(deployment.id)

    async def _withdraw(self, name: str) -> None:
        for flow in (retrain.name, watch.name):
            await self._remove(flow, name)
        del self._made[name]
        say("serve", f"{name}: its recipe is gone")

    async def _make_up(self, name: str, deployment: Any) -> None:
        """One run for all slots that were missed and all that was left unfinished, unless one waits already."""
        if name in unfinished(self.workspace):
            self._owed.setdefault(name, "a retraining was left unfinished")
        if name in self._owed and name not in self._waiting:
            parameters = {"name": name, "why": self._owed[name]}
            await self.client.create_flow_run_from_deployment(deployment, parameters=parameters)

    async def _runs(self, flow: str, states: tuple[StateType, ...]) -> list[FlowRun]:
        wanted = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))
        named = FlowFilter(name=FlowFilterName(any_=[flow]))
        return await self.client.read_flow_runs(flow_run_filter=FlowRunFilter(state=wanted), flow_filter=named)


def _recipe_of(run: FlowRun) -> str:
    return str(run.parameters.get("name", run.name))  # a run that never began has a made-up name
