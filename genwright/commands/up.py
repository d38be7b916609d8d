"""`genwright up`: what a team needs on one machine, in the foreground, until it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from genwright.core.errors import ServiceError
from genwright.core.workspace import Workspace

if TYPE_CHECKING:
    from genwright.adapters.processes.children import Child
    from genwright.lifecycle.servers import Services

PREFECT_PORT, MLFLOW_PORT = 4200, 5000
LOOK_SECONDS = 0.5  # between looks at whether everything still runs
RESTART_SECONDS = 3.0  # before a worker that ended is started again


def command() -> None:
    """Start Prefect, MLflow and the worker that retrains and watches; Ctrl-C or `genwright down` stops them.

    A server that is configured (PREFECT_API_URL, MLFLOW_TRACKING_URI) is used instead of one of its own.
    """
    from genwright.core.durable import exclusive, holder
    from genwright.lifecycle import servers

    workspace = Workspace()
    lock = servers.lock(workspace)
    there = servers.running(workspace)
    if there is not None:
        raise ServiceError(
            "`genwright up` runs already for this workspace.",
            got=f"process {holder(lock)}: {there.prefect} and {there.mlflow}",
            do="use that one, or stop it with `genwright down`",
        )
    busy = "`genwright up` is starting or stopping in this workspace."
    with exclusive(lock, busy=busy), _asked_to_stop() as asked:
        Up(workspace, asked).run()


class Up:
    """The servers and the worker, from their start to their end."""

    def __init__(self, workspace: Workspace, asked: threading.Event) -> None:
        self.workspace, self.asked = workspace, asked
        self.log = workspace.state / "logs" / "up.log"

    def run(self) -> None:
        """Until asked to stop. Raises ServiceError when a server does not start, or ends by itself."""
        from genwright.adapters.prefect import server
        from genwright.adapters.processes.children import keeper
        from genwright.lifecycle import servers

        os.environ.update(server.environment(self.workspace))
        self.log.parent.mkdir(parents=True, exist_ok=True)
        servers.withdraw(self.workspace)  # what a killed one left
        with self.log.open("a", buffering=1) as self._out, keeper() as self._keeper, ExitStack() as stack:
            stack.callback(servers.withdraw, self.workspace)
            self._servers: list[Child] = []
            stack.callback(self._stop_servers)
            addresses = self._start_servers()
            servers.publish(self.workspace, addresses)
            self._announce(addresses)
            self._work()

    def _start_servers(self) -> Services:
        """Both servers at once, where they are not configured; they answer when this returns."""
        from genwright.adapters.mlflow import connection
        from genwright.adapters.prefect import server
        from genwright.adapters.processes.children import free_port
        from genwright.lifecycle.servers import Services

        waits = []
        api = os.environ.get("PREFECT_API_URL")
        if not api:
            port = free_port(PREFECT_PORT)
            api = f"http://127.0.0.1:{port}/api"
            child = self._start("prefect", server.command(port), PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL="WARNING")
            waits.append((child, lambda: server.answers(api)))
        mlflow = os.environ.get("MLFLOW_TRACKING_URI")
        if not mlflow:
            port = free_port(MLFLOW_PORT)
            mlflow = f"http://127.0.0.1:{port}"
            command, variables = connection.server(self.workspace, port)
            waits.append((self._start("mlflow", command, **variables), lambda: connection.answers(mlflow)))
        self._servers += [child for child, _ in waits]
        for child, answers in waits:
            child.wait(lambda answers=answers: "stopped" if self.asked.is_set() else answers(), self.log)  # type: ignore[misc]
        os.environ["PREFECT_API_URL"] = api
        return Services(process=os.getpid(), prefect=api.removesuffix("/api"), mlflow=mlflow)

    def _work(self) -> None:
        """Keep a worker running; see that the servers are."""

        worker: Child | None = None
        again = 0.0
        try:
            while not self.asked.wait(LOOK_SECONDS):
                for server in self._servers:
                    if not server.running:
                        raise ServiceError(f"The {server.name} server ended by itself.", do=f"look at {self.log}")
                if worker is not None and not worker.running:
                    self._say("up", "the worker ended; what it was doing is taken up by the next one")
                    worker.clear()
                    worker, again = None, time.monotonic() + RESTART_SECONDS
                if worker is None and time.monotonic() >= again:
                    worker = self._start("worker", [sys.executable, "-m", "genwright.flows.serve"])
        finally:
            if worker is not None:
                worker.stop()

    def _start(self, name: str, command: list[str], **variables: str) -> Child:
        return self._keeper.start(name, command, lambda line: self._say(name, line), **variables)

    def _stop_servers(self) -> None:
        for server in reversed(self._servers):
            server.stop()

    def _announce(self, addresses: Services) -> None:
        typer.echo(f"  runs and approvals   {addresses.prefect}/runs")
        typer.echo(f"  schedules            {addresses.prefect}/deployments")
        typer.echo(f"  models               {addresses.mlflow}/#/models")
        typer.echo(f"  log                  {self.log}")
        typer.echo("Ctrl-C or `genwright down` stops all of it.")

    def _say(self, who: str, line: str) -> None:
        self._out.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {who:>8} | {line}\n")


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Set by the first SIGINT or SIGTERM. Stopping takes its time, so none of them interrupts it."""
    asked = threading.Event()
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
