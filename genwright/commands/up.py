"""`genwright up`: what a team needs on one machine, in the foreground, until it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from genwright.core.errors import ServiceError
from genwright.core.workspace import Workspace

if TYPE_CHECKING:
    from genwright.adapters.processes.children import Child
    from genwright.adapters.processes.tended import Tended
    from genwright.lifecycle.servers import Services

PREFECT_PORT, MLFLOW_PORT = 4200, 5000
LOOK_SECONDS = 0.5  # between looks at whether everything still runs


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
        """Until asked to stop. Raises ServiceError when a server does not start."""
        from genwright.adapters.prefect import server
        from genwright.adapters.processes.children import keeper
        from genwright.lifecycle import servers

        server.settle(server.environment(self.workspace))
        self.log.parent.mkdir(parents=True, exist_ok=True)
        servers.withdraw(self.workspace)  # what a killed one left
        with self.log.open("a", buffering=1) as self._out, keeper() as self._keeper, ExitStack() as self._stack:
            self._stack.callback(servers.withdraw, self.workspace)
            self._tended: list[Tended] = []
            self._stack.callback(self._stop)
            addresses = self._start_servers()
            servers.publish(self.workspace, addresses)
            self._announce(addresses)
            self._work()

    def _start_servers(self) -> Services:
        """Both servers at once, where they are not configured; they answer when this returns."""
        from genwright.adapters.mlflow import connection
        from genwright.adapters.prefect import server
        from genwright.lifecycle.servers import Services

        waits: list[tuple[Child, Callable[[], str | None]]] = []
        api = os.environ.get("PREFECT_API_URL")
        if not api:
            port = self._port(PREFECT_PORT)
            api = address = f"http://127.0.0.1:{port}/api"
            child = self._serve("prefect", server.command(port), PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL="WARNING")
            waits.append((child, lambda: server.answers(address)))
        mlflow = os.environ.get("MLFLOW_TRACKING_URI")
        if not mlflow:
            port = self._port(MLFLOW_PORT)
            mlflow = place = f"http://127.0.0.1:{port}"
            command, variables = connection.server(self.workspace, port)
            waits.append((self._serve("mlflow", command, **variables), lambda: connection.answers(place)))
        for child, answers in waits:
            child.wait(lambda answers=answers: "stopped" if self.asked.is_set() else answers(), self.log)  # type: ignore[misc]
        server.settle({"PREFECT_API_URL": api})
        return Services(process=os.getpid(), prefect=api.removesuffix("/api"), mlflow=mlflow)

    def _work(self) -> None:
        """Keep a worker running, and the servers."""
        from genwright.adapters.prefect import server
        from genwright.adapters.processes.tended import Tended

        def start() -> Child:
            return self._start("worker", [sys.executable, "-m", "genwright.flows.serve"])

        def ready() -> bool:
            return server.answers(os.environ["PREFECT_API_URL"]) is None

        self._tended.append(Tended("the worker", start, self._tell, ready=ready))
        while not self.asked.wait(LOOK_SECONDS):
            for program in self._tended:
                program.look()

    def _serve(self, name: str, command: list[str], **variables: str) -> Child:
        """Start a server that is to run all the time."""
        from genwright.adapters.processes.tended import Tended

        def start() -> Child:
            return self._start(name, command, **variables)

        child = start()
        self._tended.append(Tended(f"the {name} server", start, self._tell, child=child))
        return child

    def _start(self, name: str, command: list[str], **variables: str) -> Child:
        return self._keeper.start(name, command, lambda line: self._say(name, line), **variables)

    def _port(self, wanted: int) -> int:
        """A port that stays ours until the end."""
        from genwright.adapters.processes.children import claimed

        return self._stack.enter_context(claimed(wanted))

    def _stop(self) -> None:
        """The worker first, which still has something to tell the servers."""
        for program in reversed(self._tended):
            program.stop()

    def _announce(self, addresses: Services) -> None:
        typer.echo(f"  runs and approvals   {addresses.prefect}/runs")
        typer.echo(f"  schedules            {addresses.prefect}/deployments")
        typer.echo(f"  models               {addresses.mlflow}/#/models")
        typer.echo(f"  log                  {self.log}")
        typer.echo("Ctrl-C or `genwright down` stops all of it.")

    def _tell(self, sentence: str) -> None:
        """Say on the screen, and in the log."""
        typer.echo(f"{datetime.now():%H:%M:%S}  {sentence}")
        self._say("up", sentence)

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
