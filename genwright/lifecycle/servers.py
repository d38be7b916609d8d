"""What `genwright up` runs for a workspace, and where: found by every other command through a file and a kernel lock."""

from __future__ import annotations

from pathlib import Path

from genwright.core import stored
from genwright.core.durable import holder
from genwright.core.stored import Stored
from genwright.core.workspace import Workspace


class Services(Stored):
    """Addresses of a running `genwright up`. `process` is its process id."""

    form = "servers"
    mend = "`genwright down`, then `genwright up`"

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
    """The services that are up; None when `genwright up` does not run, or has not got that far.

    Raises FormatError where it runs and says where in a way that this release does not know.
    """
    process, file = holder(lock(workspace)), _file(workspace)
    if process is None or not file.is_file():
        return None
    services = stored.read(Services, file)
    return services if services.process == process else None  # else what a killed one left


def publish(workspace: Workspace, services: Services) -> None:
    """Let the other commands know."""
    stored.write(_file(workspace), services)


def withdraw(workspace: Workspace) -> None:
    """Say no more that anything is up."""
    _file(workspace).unlink(missing_ok=True)


def _file(workspace: Workspace) -> Path:
    return workspace.state / "up.json"
