"""The deployments of a recipe: what runs when, and what starts it besides. Stated once, for the worker of `genwright up` and
for `prefect.yaml`, by which work pools and workers on other machines serve the same."""

from __future__ import annotations

from typing import Any, Literal

import yaml

from genwright.core.record import Record
from genwright.core.span import span
from genwright.recipes.recipe import Recipe
from genwright.recipes.upkeep import Schedule

POOL = "genwright"
HEAD = """\
# The deployments of the recipes here, for Prefect workers. Written by `genwright schedules --prefect-yaml`; a test sees
# that it follows the recipes. `prefect work-pool create genwright --type process`, `prefect deploy --all`, and on every
# machine that works, with Genwright installed and this folder at the same path: `prefect worker start --pool genwright`.
"""
LIMIT: dict[str, Any] = {"limit": 1, "collision_strategy": "CANCEL_NEW"}
"""Of two runs of one deployment the second is dropped: what it would have seen, the next one sees."""

HEARTBEAT_SECONDS = 30


class Timing(Record):
    """When a flow runs: at the times of a cron line, or every so many seconds. Exactly one of the two."""

    cron: str | None = None
    interval: float | None = None
    timezone: str = "UTC"
    active: bool = True


class Deployment(Record):
    """A flow that is served for a recipe, under the recipe's name. `triggers` are Prefect's, as `prefect.yaml` has them."""

    flow: Literal["retrain", "watch"]
    name: str
    schedules: list[Timing]
    triggers: list[dict[str, Any]] = []

    @property
    def entrypoint(self) -> str:
        """Where Prefect finds the flow: by its module, which a checkout and an installed package have alike."""
        return f"genwright.flows.{self.flow}.{self.flow}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What the flow is called with."""
        return {"name": self.name}

    @property
    def tags(self) -> list[str]:
        return ["genwright", self.name]


def deployments(recipe: Recipe) -> list[Deployment]:
    """`retrain/NAME` on the recipe's schedule and on events about it, `watch/NAME` where it watches anything."""
    schedules = [_timing(recipe.schedule)] if recipe.schedule else []
    found = [Deployment(flow="retrain", name=recipe.name, schedules=schedules, triggers=[_asked(recipe.name)])]
    if recipe.watch.triggers:
        every = Timing(interval=span(recipe.watch.every).total_seconds())
        found.append(Deployment(flow="watch", name=recipe.name, schedules=[every]))
    return found


def prefect_yaml(recipes: list[Recipe]) -> str:
    """The text of `prefect.yaml` for these recipes."""
    served = [_entry(deployment) for recipe in recipes for deployment in deployments(recipe)]
    text: str = yaml.safe_dump({"name": "genwright", "deployments": served}, sort_keys=False, width=120)
    return HEAD + text


def _timing(schedule: Schedule) -> Timing:
    every = None if schedule.every is None else span(schedule.every).total_seconds()
    return Timing(cron=schedule.cron, interval=every, timezone=schedule.timezone, active=not schedule.paused)


def _asked(name: str) -> dict[str, Any]:
    """What starts the retraining of a recipe besides its schedule: any of these events about it. The events of half a
    minute lead to one run."""
    return {
        "name": f"retrain {name} when asked by an event",
        "type": "event",
        "posture": "Reactive",
        "expect": ["genwright.retrain", "genwright.watch.*"],
        "match": {"prefect.resource.id": f"genwright.recipe.{name}"},
        "threshold": 1,
        "within": 30,
        "parameters": {"name": name, "why": "{{ event.payload.why }}"},
    }


def _entry(deployment: Deployment) -> dict[str, Any]:
    entry = {
        "name": deployment.name,
        "entrypoint": deployment.entrypoint,
        "parameters": deployment.parameters,
        "tags": deployment.tags,
        "schedules": [timing.model_dump(exclude_none=True) for timing in deployment.schedules],
        "concurrency_limit": dict(LIMIT),
        "work_pool": {
            "name": POOL,
            "job_variables": {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}},
        },
    }
    return {**entry, "triggers": deployment.triggers} if deployment.triggers else entry
