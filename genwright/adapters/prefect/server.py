"""Prefect's server: the one configured, the one of `genwright up`, or one of our own that ends with us.

Prefect's built-in temporary server is left behind when its parent is killed, and takes longer to answer.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import httpx

from genwright.adapters.processes.children import Child, free_port, keeper
from genwright.core.errors import GenwrightError, ServiceError
from genwright.core.workspace import Workspace
from genwright.lifecycle import servers

PROBE_SECONDS = 3.0
REVIVALS = 5  # in one run; a server that dies more often does not want to live


def environment(workspace: Workspace) -> dict[str, str]:
    """Prefect's settings for this workspace."""
    return {
        "PREFECT_HOME": os.environ.get("PREFECT_HOME") or str(workspace.state / "prefect"),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # A server that is away for minutes is waited for: between attempts pass 2, 4, ... 128 seconds.
        "PREFECT_CLIENT_MAX_RETRIES": "7",
        # Runs keep their logs in Prefect's database; the terminal belongs to our own progress.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    }


def settle(variables: Mapping[str, str | None]) -> None:
    """Put settings into the environment, or take out what is None. Prefect reads them when it is imported, and again here where
    it has been."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if "prefect.context" in sys.modules:
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()


def address(workspace: Workspace) -> str | None:
    """The API of the server configured, or of `genwright up`; None where neither is."""
    up = servers.running(workspace)
    return os.environ.get("PREFECT_API_URL") or (up.prefect_api if up else None)


def answers(url: str) -> str | None:
    """None when a Prefect API answers there, else the reason."""
    try:
        status = _prober().get(f"{url}/health").status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return None if status == 200 else f"HTTP {status}"


@cache
def _prober() -> httpx.Client:
    """One for all: making one takes two hundred times as long as asking, and a server that starts is asked again and again."""
    return httpx.Client(timeout=PROBE_SECONDS, limits=httpx.Limits(max_keepalive_connections=0))


def command(port: int) -> list[str]:
    """The program that serves API and pages on the loopback address."""
    return [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]


@contextmanager
def server(workspace: Workspace) -> Iterator[Server]:
    """A Prefect API for the length of the block. Enter it first, import and prepare, then `wait`: it starts meanwhile.

    Raises ServiceError when the server that is configured or up does not answer.
    """
    settle(environment(workspace))
    with _served(workspace) as serving:
        before = os.environ.get("PREFECT_API_URL")
        settle({"PREFECT_API_URL": serving.url})
        try:
            yield serving
        finally:
            _flush()  # also after an error: what is left would wait at exit for a server that is gone
            settle({"PREFECT_API_URL": before})


@contextmanager
def _served(workspace: Workspace) -> Iterator[Server]:
    standing = address(workspace)
    if standing is not None:
        problem = answers(standing)
        if problem is not None:
            raise ServiceError(
                "Prefect does not answer; nothing was run.",
                got=f"{standing}: {problem}",
                do="start it, correct PREFECT_API_URL, or unset it to use the workspace's own server",
            )
        yield Server(standing)
        return
    log = workspace.state / "logs" / "prefect-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", buffering=1) as out, keeper() as kept:
        port = free_port()

        def write(line: str) -> None:
            with suppress(OSError):  # a full disk is told by what matters more than this log
                print(line, file=out)

        # Scheduling and events are the business of `genwright up`, whose database this is as well.
        own = Own(f"http://127.0.0.1:{port}/api", lambda: kept.start("Prefect", [*command(port), "--no-services"], write), log)
        try:
            yield own
        finally:
            own.stop()


class Server:
    """A Prefect API at `url` that somebody else keeps up."""

    def __init__(self, url: str) -> None:
        self.url = url

    def wait(self) -> None:
        """Until it answers. Raises ServiceError when it does not start."""


class Own(Server):
    """One that this process starts, and starts again when it dies: what Prefect's client could not send it sends once more,
    for about four minutes."""

    def __init__(self, url: str, start: Callable[[], Child], log: Path) -> None:
        super().__init__(url)
        self._start, self._log = start, log
        self._child, self._ending = start(), threading.Event()
        threading.Thread(target=self._revive, daemon=True).start()

    def wait(self) -> None:
        self._child.wait(lambda: answers(self.url), self._log)

    def stop(self) -> None:
        """End it for good."""
        self._ending.set()
        self._child.stop()

    def _revive(self) -> None:
        for _ in range(REVIVALS):
            self._child.process.wait()
            if self._ending.is_set():
                return
            try:
                self._child.clear(patience=1.0)
                self._child = self._start()
            except (OSError, GenwrightError):  # such as a full disk: whoever asks the server next is told
                return


def _flush() -> None:
    """Let Prefect send what it still holds before its server goes away; nothing where no flow was begun."""
    if "prefect" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=10)
