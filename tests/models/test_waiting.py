"""How many threads there are is the machine's; how long they wait follows what others do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genwright.core import processors
from genwright.core.workspace import Settings
from genwright.models import waiting

THREADS = """
import json, os, threading, time
for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
    os.environ.pop(name, None)
import torch
from genwright.models import waiting
torch.set_num_threads(2)
waiting.LOOK_EVERY = 0.05
work = [0.0]
waiting.taken = lambda before, after: work[0]
waiting.allowed = lambda: {0, 1}
waiting.begin(2)
waiting.begin(2)
def teams():
    time.sleep(0.5)
    return [t.name for t in threading.enumerate() if t.name in ("waiting", "idle team")]
found = [teams()]
for work[0] in (1.5, 0.0):
    found.append(teams())
print(json.dumps(found))
"""


def test_an_idle_team_is_held_while_others_work() -> None:
    """Which is what makes libgomp's threads sleep early."""
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["waiting"], ["waiting", "idle team"], ["waiting"]]


def test_who_says_how_to_wait_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setattr(waiting, "_attend", started.append)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    waiting.begin(2)
    monkeypatch.delenv("OMP_WAIT_POLICY")
    waiting.begin(1)  # nobody to wait for
    assert not started


def test_only_what_others_do_is_told_as_taken() -> None:
    before, began = waiting.look(), time.process_time()
    while time.process_time() - began < 0.5:
        pass
    after = waiting.look()
    whole = (after.processors - before.processors) / (after.moment - before.moment)
    own = (after.own - before.own) / (after.moment - before.moment)
    assert own > 0.1
    assert waiting.taken(before, after) == pytest.approx(max(0.0, whole - own))


def test_the_number_of_threads_is_what_the_environment_says_or_the_machine_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GENWRIGHT_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert Settings().threads == 3
    monkeypatch.setenv("GENWRIGHT_THREADS", "5")
    assert Settings().threads == 5
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(processors, "CGROUP", tmp_path)
    assert processors.threads() == 8
    (tmp_path / "cpu.max").write_text("250000 100000\n")  # two and a half processors' worth of time
    assert processors.threads() == 3
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert processors.threads() == 8
