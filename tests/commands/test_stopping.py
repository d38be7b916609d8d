"""Being asked to stop, and being asked to begin twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genwright.core.durable import exclusive
from genwright.core.workspace import Workspace

ROOT = Path(__file__).parents[2]
RUN = [sys.executable, "-m", "genwright", "run", "digits"]
SWALLOWED = """
import os, signal
from genwright.commands import app

def library(**options):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass
    raise RecursionError("half imported")

app.build = lambda: library
app.main()
"""
DROPPED = """
import os, signal, time
from genwright.commands import app

def library(**options):
    os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGINT))
    if os.fork() == 0:
        os._exit(0)
    time.sleep(600)

app.build = lambda: library
app.main()
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "digits.yaml").write_text((ROOT / "recipes" / "digits.yaml").read_text())
    return tmp_path


def begin(workspace: Path, command: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace)}
    return subprocess.Popen(command, env=environment, cwd=workspace, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_stopping_says_how_to_go_on(workspace: Path, asked: signal.Signals) -> None:
    running = begin(workspace, RUN)
    end = time.monotonic() + 60
    while not (workspace / ".genwright" / "logs" / "prefect-server.log").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    running.send_signal(asked)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "the same command continues" in said


@pytest.mark.parametrize("library", [SWALLOWED, DROPPED])
def test_an_interruption_that_got_lost_is_no_fault(workspace: Path, library: str) -> None:
    running = begin(workspace, [sys.executable, "-c", library])
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "the same command continues" in said


def test_a_second_run_is_refused_and_names_the_first(workspace: Path) -> None:
    with exclusive(Workspace(workspace).lock("run-digits"), busy=""):
        second = begin(workspace, RUN)
        _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "Another process is running digits" in said
    assert f"process {os.getpid()}" in said
