"""The worker of `genwright up`: serves every recipe's retraining and watching, and takes up what a dead one left.

`python -m genwright.flows.serve` runs until it is stopped. Recipes that are written or changed meanwhile are noticed.
"""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

import anyio
import psutil
from prefect.client.orchestration import get_client
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from genwright.adapters.prefect.manifest import HEARTBEAT_SECONDS
from genwright.core.errors import GenwrightError
from genwright.core.workspace import Settings, Workspace
from genwright.flows.automations import automations, notifications
from genwright.flows.deploy import Served
from genwright.flows.notify import notify
from genwright.lifecycle.notify import configured
from genwright.recipes.recipe import Recipe, load
from genwright.tasks.display import say

NOTICE_SECONDS = 5.0  # after which a changed recipe is deployed again
LEAVE_SECONDS = 15.0  # for runs to write a checkpoint and say that they stopped


class Worker(Runner):
    """A runner whose runs, when it is stopped, are not cancelled but interrupted, for the next worker to take up."""

    def handle_sigterm(self, *_: Any, **__: Any) -> None:
        runs = psutil.Process().children()
        for run in runs:
            run.terminate()
        psutil.wait_procs(runs, timeout=LEAVE_SECONDS)
        os._exit(0)


async def serve(workspace: Workspace) -> None:
    """Until SIGTERM."""
    recipes = Recipes(workspace)
    worker, ways = (
        Worker(name="genwright", pause_on_shutdown=False, heartbeat_seconds=HEARTBEAT_SECONDS),
        configured(Settings()),
    )
    async with get_client() as client:
        served = Served(worker, client, workspace)
        await automations(client)
        await notifications(client, await _teller(worker) if ways else None)
        await served.recover()
        await served.follow(*recipes.read())
        async with anyio.create_task_group() as group:
            group.start_soon(worker.start)
            while True:
                await anyio.sleep(NOTICE_SECONDS)
                await served.follow(*recipes.read())


async def _teller(worker: Worker) -> UUID:
    """The deployment of the flow that tells people."""
    return await worker.aadd_flow(notify, "people", tags=["genwright"], entrypoint_type=EntrypointType.MODULE_PATH)


class Recipes:
    """The recipes of a workspace as they are now."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._said = workspace, set[str]()

    def read(self) -> tuple[list[Recipe], set[str]]:
        """The recipes that can be read, and the names of all: of one that cannot it is said why, once, and its deployments
        stay as they are."""
        found, names = [], set()
        for path in sorted(self._workspace.recipes.glob("*.yaml")):
            names.add(path.stem)
            try:
                found.append(load(path))
            except GenwrightError as error:
                if str(error) not in self._said:
                    say("serve", str(error))
                self._said.add(str(error))
        return found, names | {recipe.name for recipe in found}


if __name__ == "__main__":
    anyio.run(serve, Workspace())
