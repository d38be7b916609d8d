"""A retraining that was killed is found again, with what it had got to; one that dies again and again is given up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from genwright.core import stored
from genwright.core.durable import write_text
from genwright.core.errors import TrainingError
from genwright.core.workspace import Workspace
from genwright.lifecycle import pending
from genwright.lifecycle.pending import read, requested, unfinished
from genwright.lifecycle.run import Begun


def never(run: str) -> bool:
    return False


def killed(workspace: Workspace, why: str, run: str = "a") -> None:
    """A retraining whose process was told to stop."""
    with pytest.raises(KeyboardInterrupt), requested(workspace, "birds", why, run, never):
        raise KeyboardInterrupt


def begun(workspace: Workspace, data: str, checkpoint: int | None = None) -> None:
    folder = workspace.state / "runs" / "0123"
    stored.write(folder / "run.json", Begun(recipe="birds", data=data))
    if checkpoint is not None:
        (folder / "round-1" / "checkpoints" / f"{checkpoint:09d}").mkdir(parents=True)


def test_one_that_ended_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with requested(workspace, "birds", "new camera", "a", never) as mine:
        assert mine.why == "new camera"
        assert unfinished(workspace) == ["birds"]
    assert unfinished(workspace) == []
    with pytest.raises(TrainingError), requested(workspace, "birds", "why", "a", never):
        raise TrainingError("No round gave a model.")
    assert unfinished(workspace) == []


def test_one_that_was_killed_is_taken_up_with_its_reason_and_data(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    killed(workspace, "new camera")
    time.sleep(0.01)
    begun(workspace, "d1.dir")
    with requested(workspace, "birds", "on schedule", "b", never) as mine:
        assert (mine.why, mine.data, mine.flow_run) == ("new camera", "d1.dir", "b")


def test_one_that_a_person_cancelled_is_not(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    killed(workspace, "new camera", run="cancelled")
    with requested(workspace, "birds", "on schedule", "b", lambda run: run == "cancelled") as mine:
        assert (mine.why, mine.data) == ("on schedule", None)


def test_one_that_gets_nowhere_is_given_up(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for _ in range(pending.MOST):
        killed(workspace, "new camera")
    with pytest.raises(TrainingError, match="died 5 times at the same place"), requested(workspace, "birds", "", "b", never):
        pass
    assert read(workspace, "birds") is None


def test_one_that_gets_on_is_not(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    killed(workspace, "new camera")
    time.sleep(0.01)
    for step in range(3 * pending.MOST):
        begun(workspace, "d1.dir", checkpoint=step)
        killed(workspace, "new camera")
    left = read(workspace, "birds")
    assert left is not None
    assert left.attempts == 1


def test_one_that_cannot_be_read_is_begun_afresh(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_text(workspace.state / "requests" / "birds.json", '{"format": 99, "genwright": "9.0.0"}')
    assert unfinished(workspace) == ["birds"]
    with requested(workspace, "birds", "on schedule", "b", never) as mine:
        assert (mine.why, mine.attempts) == ("on schedule", 1)
    assert unfinished(workspace) == []
