"""What `genwright up` runs for a workspace, and where: found by every other command through a file and a kernel lock."""

from __future__ import annotations

from pathlib import Path

from genwright.core.durable import holder, write_text
from genwright.core.record import Record
from genwright.core.workspace import Workspace


class Services(Record):
    """Addresses of a running `genwright up`. `process` is its process id."""

    process: int
    prefect: str
    mlflow: str

    @property
    def prefect_api(self) -> str:
        return f"{self.prefect}/api"


def lock(workspace: Workspace) -> Path:
    """The kernel lock that a running `genwright up` holds."""
    return workspace.lock("up")


def running(workspace: Workspace) -> Services | None:
    """The services that are up; None when `genwright up` does not run, or has not got that far."""
    process, file = holder(lock(workspace)), _file(workspace)
    if process is None or not file.is_file():
        return None
    services = Services.model_validate_json(file.read_text())
    return services if services.process == process else None  # else what a killed one left


def publish(workspace: Workspace, services: Services) -> None:
    """Let the other commands know."""
    write_text(_file(workspace), services.model_dump_json(indent=2) + "\n")


def withdraw(workspace: Workspace) -> None:
    _file(workspace).unlink(missing_ok=True)


def _file(workspace: Workspace) -> Path:
    return workspace.state / "up.json"
