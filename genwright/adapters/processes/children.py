"""Processes that serve this one, and do not outlive it however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from genwright.adapters.processes import warden
from genwright.core.errors import ServiceError

START_SECONDS = 120  # a first start migrates a database
STOP_SECONDS = 20
PORTS = 100  # that are tried, from the one that is wanted on
FAULT = re.compile(r"\s*[\w.]+(Error|Exception)\b[^:]*: ")
"""How the line of a traceback begins that says what was wrong."""


class Child:
    """A program in a process group of its own. What it says goes to `log`, a line at a time."""

    def __init__(self, name: str, process: subprocess.Popen[str], keeper: Keeper, log: Callable[[str], None]) -> None:
        self.name, self.process, self._keeper, self._log = name, process, keeper, log
        self._fault, self._last = "", ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def reason(self) -> str:
        """Why it ended, as far as can be told: the signal, or of what it said the last exception, or the last line."""
        code = self.process.poll()
        if code is not None and code < 0:
            return f"signal {signal.Signals(-code).name}"
        return self._fault or self._last or f"exit code {code}"

    def wait(self, answers: Callable[[], str | None], log: Path) -> None:
        """Until `answers` gives None. Raises ServiceError when the program ends before, or takes too long."""
        end = time.monotonic() + START_SECONDS
        while (problem := answers()) is not None:
            if not self.running or time.monotonic() > end:
                if not self.running:
                    self._reader.join(1)
                    problem = self.reason
                raise ServiceError(
                    f"{self.name} did not start.", got=problem, do=f"`genwright doctor` may know why; what it said is in {log}"
                )
            time.sleep(0.05)

    def stop(self, patience: float = STOP_SECONDS) -> None:
        """Ask the program to end, and end what is left of its group after `patience` seconds."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        self.clear(patience)

    def clear(self, patience: float = STOP_SECONDS) -> None:
        """End what the program left behind in its group: SIGTERM, and after `patience` seconds SIGKILL."""
        group, end = self.process.pid, time.monotonic() + patience
        gone = warden.ended(group, signal.SIGTERM)
        while not gone and time.monotonic() < end:
            time.sleep(0.05)
            self.process.poll()  # a zombie counts as one of the group
            gone = warden.ended(group, 0)
        if not gone:
            warden.ended(group, signal.SIGKILL)
        self.process.wait()
        self._reader.join(1)
        self._keeper.forget(group)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._log(line.rstrip("\n"))
            self._last = line.strip() or self._last
            self._fault = line.strip() if FAULT.match(line) else self._fault


class Keeper:
    """Starts children, and sees through a warden that none is left when this process is gone."""

    def __init__(self) -> None:
        self._warden = subprocess.Popen(
            [sys.executable, "-I", "-S", warden.__file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def start(self, name: str, command: Sequence[str], log: Callable[[str], None], **variables: str) -> Child:
        """A program with `variables` added to its environment; in a session of its own, so that Ctrl-C reaches only us.

        If it is Python it imports what is installed, and nothing that lies in the folder it is started in.
        """
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONSAFEPATH": "1", **variables},
            start_new_session=True,
        )
        self._tell(f"+{process.pid}")
        return Child(name, process, self, log)

    def forget(self, group: int) -> None:
        """A group that is gone, so that its number is free for others."""
        self._tell(f"-{group}")

    def close(self) -> None:
        """Let the warden go; it ends what is still on its list."""
        assert self._warden.stdin is not None
        self._warden.stdin.close()
        self._warden.wait()

    def _tell(self, line: str) -> None:
        assert self._warden.stdin is not None
        self._warden.stdin.write(f"{line}\n")
        self._warden.stdin.flush()


@contextmanager
def keeper() -> Iterator[Keeper]:
    """A keeper for the length of the block."""
    kept = Keeper()
    try:
        yield kept
    finally:
        kept.close()


def free_port() -> int:
    """A port of the loopback address on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    return found


@contextmanager
def claimed(wanted: int) -> Iterator[int]:
    """`wanted`, or the next port of the loopback address on which nothing listens, for the length of the block. Whoever else
    asks here, in any process of this machine, gets another one, also before anything listens on it."""
    for port in range(wanted, wanted + PORTS):
        # The port of the same number for datagrams, which no server wants, is the claim.
        with socket.socket(type=socket.SOCK_DGRAM) as claim, socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                claim.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            probe.close()
            yield port
            return
    raise ServiceError(
        "No port is free on the loopback address.",
        got=f"{wanted} to {wanted + PORTS - 1}",
        do="end programs that listen there",
    )
