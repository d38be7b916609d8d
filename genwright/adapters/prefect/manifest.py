"""`prefect.yaml`: the deployments that `genwright up` serves, written down for work pools and workers on other machines."""

from __future__ import annotations

from typing import Any

import yaml

from genwright.core.span import span
from genwright.recipes.recipe import Recipe
from genwright.recipes.upkeep import Schedule

POOL = "genwright"
HEAD = """\
# The deployments of the recipes here, for Prefect workers. Written by `genwright schedules --prefect-yaml`; a test sees
# that it follows the recipes. `prefect work-pool create genwright --type process`, `prefect deploy --all`, and on every
# machine that works, in a checkout of this folder: `prefect worker start --pool genwright`.
"""


def prefect_yaml(recipes: list[Recipe]) -> str:
    """The text of `prefect.yaml` for these recipes."""
    deployments = [deployment for recipe in recipes for deployment in _deployments(recipe)]
    text: str = yaml.safe_dump({"name": "genwright", "deployments": deployments}, sort_keys=False, width=120)
    return HEAD + text


def trigger(name: str) -> dict[str, Any]:
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


def _deployments(recipe: Recipe) -> list[dict[str, Any]]:
    retrain = _deployment(recipe, "retrain", [_schedule(recipe.schedule)] if recipe.schedule else [])
    retrain["triggers"] = [trigger(recipe.name)]
    if not recipe.watch.triggers:
        return [retrain]
    every = {"interval": span(recipe.watch.every).total_seconds(), "timezone": "UTC", "active": True}
    return [retrain, _deployment(recipe, "watch", [every])]


def _deployment(recipe: Recipe, flow: str, schedules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "entrypoint": f"flows/{flow}.py:{flow}",
        "parameters": {"name": recipe.name},
        "tags": ["genwright", recipe.name],
        "schedules": schedules,
        "concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
        "work_pool": {"name": POOL, "job_variables": {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}}},
    }


def _schedule(schedule: Schedule) -> dict[str, Any]:
    timing: dict[str, Any] = {"cron": schedule.cron}
    if schedule.every is not None:
        timing = {"interval": span(schedule.every).total_seconds()}
    return {**timing, "timezone": schedule.timezone, "active": not schedule.paused}
