"""What we start ends with us, however we end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from genwright.adapters.processes.children import free_port, keeper
from genwright.core.errors import ServiceError

FAMILY = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"
)
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
OWNER = f"""
import sys, time
from genwright.adapters.processes.children import keeper
with keeper() as kept:
    child = kept.start("family", [sys.executable, "-c", {FAMILY!r}], print)
    print(child.process.pid, flush=True)
    time.sleep(600)
"""


def group(leader: int) -> list[psutil.Process]:
    """The processes of a group."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def wait_for(condition, seconds: float = 20) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_owner_leaves_nobody(number: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    leader = int(owner.stdout.readline())
    wait_for(lambda: len(group(leader)) == 2)
    os.kill(owner.pid, number)
    owner.wait()
    wait_for(lambda: not group(leader))


def test_a_child_that_is_stopped_takes_its_own_along() -> None:
    said: list[str] = []
    with keeper() as kept:
        child = kept.start("family", [sys.executable, "-c", FAMILY], said.append)
        wait_for(lambda: len(group(child.process.pid)) == 2)
        child.stop()
        assert not group(child.process.pid)


def test_a_deaf_child_is_killed() -> None:
    said: list[str] = []
    with keeper() as kept:
        child = kept.start("deaf", [sys.executable, "-c", STUBBORN], said.append)
        wait_for(lambda: said == ["deaf"])
        child.stop(patience=0.5)
        assert not child.running


def test_one_that_ends_before_it_answers_is_an_error(tmp_path: Path) -> None:
    with keeper() as kept:
        child = kept.start("server", [sys.executable, "-c", "raise SystemExit(3)"], print)
        with pytest.raises(ServiceError, match="server did not start"):
            child.wait(lambda: "no answer", tmp_path / "log")


def test_a_port_that_is_taken_is_not_given() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port
