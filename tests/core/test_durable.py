"""Locks that die with their holder."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genwright.core.durable import exclusive, holder
from genwright.core.errors import GenwrightError

HOLDER = """
import sys, time
from pathlib import Path
from genwright.core.durable import exclusive
with exclusive(Path(sys.argv[1]), busy="taken"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_holder_is_in_nobodys_way(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    assert holder(lock) == other.pid
    with pytest.raises(GenwrightError, match=str(other.pid)), exclusive(lock, busy="taken"):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert lock.read_text() == str(other.pid)  # who takes that for the truth waits for ever
    began = time.monotonic()
    with exclusive(lock, busy="taken"):
        assert time.monotonic() - began < 5
    assert holder(lock) is None
