"""What is to be said of the database in which a workspace's own Prefect keeps runs and schedules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from genwright.adapters.prefect.server import environment
from genwright.core.sqlite import damage
from genwright.core.workspace import Workspace
from genwright.lifecycle.doctor import Check

WHAT = "prefect"


def check(workspace: Workspace) -> Iterator[Check]:
    """Whether it can be read, all of it."""
    database = Path(environment(workspace)["PREFECT_HOME"]) / "prefect.db"
    if os.environ.get("PREFECT_API_URL") or not database.is_file():
        return
    fault = damage(database)
    if fault is None:
        yield Check(what=WHAT, state="ok", found=f"{database} can be read")
        return
    do = f"move {database} aside: the next command makes a new one; past runs are not shown then, models and data stay"
    yield Check(what=WHAT, state="problem", found=f"{database} cannot be read, {fault}", do=do)
