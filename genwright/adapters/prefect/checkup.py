"""What is to be said of the database in which a workspace's own Prefect keeps runs and schedules."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from genwright.adapters.prefect.server import environment
from genwright.core.workspace import Workspace
from genwright.lifecycle.doctor import Check

WHAT = "prefect"


def check(workspace: Workspace) -> Iterator[Check]:
    """Whether it can be read, all of it."""
    database = Path(environment(workspace)["PREFECT_HOME"]) / "prefect.db"
    if os.environ.get("PREFECT_API_URL") or not database.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
            [fault] = opened.execute("pragma quick_check(1)").fetchone()
    except sqlite3.Error as error:
        fault = str(error)
    if fault == "ok":
        yield Check(what=WHAT, state="ok", found=f"{database} can be read")
        return
    do = f"move {database} aside: the next command makes a new one; past runs are not shown then, models and data stay"
    yield Check(what=WHAT, state="problem", found=f"{database} is damaged: {fault}", do=do)
