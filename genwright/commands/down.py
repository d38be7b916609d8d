"""`genwright down`: stop the `genwright up` of this workspace."""

from __future__ import annotations

import os
import signal
import time

import typer

from genwright.core.errors import ServiceError
from genwright.core.workspace import Workspace

PATIENCE = 90.0  # seconds; runs get time to write a checkpoint


def command() -> None:
    """Stop Prefect, MLflow and the worker that `genwright up` started here. A run in progress goes on at the next `up`."""
    from genwright.core.durable import holder
    from genwright.lifecycle import servers

    lock = servers.lock(Workspace())
    process = holder(lock)
    if process is None:
        typer.echo("Nothing is up in this workspace.")
        return
    os.kill(process, signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while holder(lock) == process:
        if time.monotonic() > end:
            raise ServiceError("`genwright up` does not stop.", got=f"process {process}", do="look at .genwright/logs/up.log")
        time.sleep(0.1)
    typer.echo("Stopped.")
