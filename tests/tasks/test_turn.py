"""Trainings take turns, and waiting for one's turn costs nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from genwright.core.durable import exclusive, holder
from genwright.core.workspace import Workspace
from genwright.lifecycle.spending import Meter
from genwright.tasks.one_training import turn


def test_a_second_training_waits_and_its_waiting_does_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = Workspace(tmp_path)
    held, ended = threading.Event(), threading.Event()

    def other() -> None:
        with exclusive(workspace.lock("training"), busy=""):
            held.set()
            time.sleep(0.5)
            ended.set()

    threading.Thread(target=other).start()
    held.wait()
    meter = Meter("digits", workspace, gpu=False)
    with turn(workspace, meter) as take:
        assert not ended.is_set()  # one that finds everything done already waits for nobody
        take()
        assert ended.is_set()
        take()  # it is its turn now, and stays so
        assert holder(workspace.lock("training"))
    assert holder(workspace.lock("training")) is None
    assert meter.read().wall_seconds < 0.4
    assert "waiting for its end" in capsys.readouterr().err
