"""Prefect's server: the one configured, or one of our own that dies with us.

Prefect's built-in temporary server is left behind when its parent is killed, and takes longer to answer. Ours asks the
kernel for a signal at its parent's death, so that nothing outlives the command however it ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from genwright.errors import ServiceError
from genwright.workspace import Workspace

START_SECONDS = 120  # a first start migrates the database
PROBE_SECONDS = 3.0
PR_SET_PDEATHSIG = 1  # prctl(2)


def environment(workspace: Workspace) -> dict[str, str]:
    """Prefect's settings for this workspace; must be in the environment before Prefect is imported."""
    return {
        "PREFECT_HOME": os.environ.get("PREFECT_HOME") or str(workspace.state / "prefect"),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Runs keep their logs in Prefect's database; the terminal belongs to our own progress.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    }


def answers(url: str) -> str | None:
    """None when a Prefect API answers there, else the reason."""
    try:
        status = httpx.get(f"{url}/health", timeout=PROBE_SECONDS).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return None if status == 200 else f"HTTP {status}"


@contextmanager
def server(workspace: Workspace) -> Iterator[Server]:
    """A Prefect API for the length of the block. Enter it first, import and prepare, then `wait`: it starts meanwhile.

    Raises ServiceError when a configured `PREFECT_API_URL` does not answer.
    """
    os.environ.update(environment(workspace))
    configured = os.environ.get("PREFECT_API_URL")
    if configured:
        problem = answers(configured)
        if problem is not None:
            raise ServiceError(
                "Prefect does not answer; nothing was run.",
                got=f"{configured}: {problem}",
                do="start it, correct PREFECT_API_URL, or unset it to use the workspace's own server",
            )
        yield Server(configured, None, Path())
        return
    running = _start(workspace)
    os.environ["PREFECT_API_URL"] = running.url
    try:
        yield running
    finally:
        _flush()  # also after an error: what is left would wait at exit for a server that is gone
        running.stop()
        del os.environ["PREFECT_API_URL"]


class Server:
    """A Prefect API at `url`, with the process that serves it where it is ours."""

    def __init__(self, url: str, process: subprocess.Popen[bytes] | None, log: Path) -> None:
        self.url, self.process, self.log = url, process, log

    def wait(self) -> None:
        """Until it answers. Raises ServiceError when it does not start."""
        end = time.monotonic() + START_SECONDS
        while self.process is not None and answers(self.url) is not None:
            if self.process.poll() is not None or time.monotonic() > end:
                raise ServiceError(
                    "The embedded Prefect server did not start.", got=self.log.read_text()[-600:], do=f"look at {self.log}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _start(workspace: Workspace) -> Server:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = workspace.state / "logs" / "prefect-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    parent = os.getpid()

    def die_with_parent() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(0)

    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        # A session of its own, so that Ctrl-C reaches us first and the run can be recorded as cancelled.
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )
    return Server(f"http://127.0.0.1:{port}/api", process, log)


def _flush() -> None:
    """Let Prefect send what it still holds before its server goes away; nothing where no flow was begun."""
    if "prefect" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=10)
