"""What we start ends with us, however we end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from genwright.adapters.processes.children import Child, claimed, keeper
from genwright.adapters.processes.tended import Tended
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


def test_a_port_that_is_taken_or_claimed_is_not_given() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with claimed(port) as first, claimed(port) as second:
            assert port < first < second
    with claimed(port) as again:
        assert again == port


def test_what_lies_in_the_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yaml.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    with keeper() as kept:
        child = kept.start("one", [sys.executable, "-c", "import yaml; print(yaml.__name__)"], said.append)
        wait_for(lambda: not child.running)
        child.clear()
    assert said == ["yaml"]


def test_one_that_ends_again_and_again_is_started_ever_more_slowly_and_it_is_said_why() -> None:
    now, said, started = 0.0, list[str](), list[Child]()

    def ended() -> bool:
        return all(not child.running for child in started)

    with keeper() as kept:

        def start() -> Child:
            started.append(kept.start("worker", [sys.executable, "-c", "import flows_of_nobody"], lambda _: None))
            return started[-1]

        tended = Tended("the worker", start, said.append, clock=lambda: now)
        for second in range(64):
            now = float(second)
            tended.look()
            wait_for(ended)
        assert len(started) == 5  # at 0, 4, 11, 24 and 49 s: an end is seen a second after it, then 3, 6, 12 and 24 s pass
        assert [line.rpartition(" in ")[2] for line in said] == ["3 s", "6 s", "12 s", "24 s", "48 s"]
        assert all("ModuleNotFoundError: No module named 'flows_of_nobody'" in line for line in said)
        assert "5 times in a row" in said[-1]


def test_one_that_ran_for_long_is_started_again_soon_and_waits_for_what_it_needs() -> None:
    now, said, there = 0.0, list[str](), False
    with keeper() as kept:
        start = lambda: kept.start("family", [sys.executable, "-c", FAMILY], lambda _: None)  # noqa: E731
        tended = Tended("it", start, said.append, ready=lambda: there, clock=lambda: now)
        tended.look()
        assert not tended.running
        there = True
        for last in (100.0, 200.0):
            tended.look()
            assert tended.child is not None
            os.kill(tended.child.process.pid, signal.SIGKILL)
            wait_for(lambda: not tended.running)
            now = last
            tended.look()
            now += 3
        assert said == [f"it ended after {lasted} s: signal SIGKILL; it is started again in 3 s" for lasted in (100, 97)]
        tended.look()
        assert tended.running
        tended.stop()
        assert not tended.running
