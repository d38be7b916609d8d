"""What runs cost, and what happens at the limit."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from genwright.core import stored
from genwright.core.workspace import Workspace
from genwright.lifecycle import spending
from genwright.lifecycle.spending import LimitError, Spent, allow, metered, minutes_this_week, of_run, spendings
from tests import registered


def spent(workspace: Workspace, minutes: float, days_ago: float, identity: str = "a") -> None:
    """A run of that many minutes, that long ago."""
    began = datetime.now(UTC) - timedelta(days=days_ago)
    entry = Spent(recipe="digits", began=began, identity=identity, wall_seconds=minutes * 60)
    stored.write(workspace.state / "spending" / "digits" / f"{began:%Y%m%dT%H%M%S%f}.json", entry)


def test_a_run_is_measured(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with metered("digits", workspace, gpu=False) as meter:
        meter.identity = "a"
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        with meter.resting():
            time.sleep(0.3)
    (found,) = spendings(workspace, "digits")
    assert found.identity == "a"
    assert found.cpu_seconds >= 0.2
    assert found.wall_seconds >= 0.15  # waiting for a person does not count
    assert found.gpu_seconds is None
    assert found.peak_memory_bytes > 2**20


def test_the_figures_of_a_killed_run_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "EVERY", 0.05)
    workspace = Workspace(tmp_path)
    with metered("digits", workspace, gpu=True):
        end = time.monotonic() + 10
        while not spendings(workspace, "digits"):  # noted as it goes, before it ends
            assert time.monotonic() < end
            time.sleep(0.02)
        assert spendings(workspace, "digits")[0].gpu_seconds is not None


def test_several_processes_of_a_run_add_up(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    spent(workspace, 2, 1)
    spent(workspace, 3, 0.5)
    spent(workspace, 40, 0.1, identity="b")
    assert of_run(workspace, "digits", "a").wall_seconds == pytest.approx(300)


def test_a_week_is_seven_days(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for days in (0.5, 6.9, 7.1, 30):
        spent(workspace, 10, days)
    assert minutes_this_week(workspace, "digits") == pytest.approx(20)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"minutes_per_run": 11}, "limits.minutes_per_run"),
        ({"minutes_per_week": 24}, "limits.minutes_per_week"),
    ],
)
def test_beyond_a_limit_is_refused_with_the_figures(tmp_path: Path, limits: dict[str, float], said: str) -> None:
    workspace = Workspace(tmp_path)
    spent(workspace, 10, 1)
    spent(workspace, 10, 2, identity="b")
    recipe = registered.recipe(limits=limits)
    with pytest.raises(LimitError) as caught:
        allow(recipe, workspace, 5, "a")
    assert said in str(caught.value)
    assert "0 minutes spent and about 5.0 to come" in str(caught.value)
    allow(recipe, workspace, 0.5, "a")


def test_energy_counters_wrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "energy_uj").write_text("900000\n")
    (zone / "max_energy_range_uj").write_text("1000000\n")
    monkeypatch.setattr(spending, "RAPL", tmp_path)
    meter = spending.Meter("digits", Workspace(tmp_path), gpu=False)
    (zone / "energy_uj").write_text("100000\n")
    assert meter.read().joules == pytest.approx(0.2)
