"""The check-up and the overview."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genwright.core import stored
from genwright.core.durable import exclusive, write_text
from genwright.core.workspace import Settings, Workspace
from genwright.data.records import CONTENTS
from genwright.lifecycle.doctor import Check, check
from genwright.lifecycle.run import Begun, reached
from genwright.training.records import Diagnosis, Round
from tests.made import pictures


def findings(workspace: Path, settings: Settings, problem: str | None = None) -> dict[str, Check]:
    probes: dict[str, Any] = {name: lambda _: problem for name in ("prefect", "mlflow")}
    found = list(check(Workspace(workspace), settings, probes, []))
    return {f.what: f for f in reversed(found)}


def test_a_sound_machine_has_no_problem(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    found = findings(tmp_path, settings)
    assert {"python", "torch", "prefect", "mlflow", "disk", "memory", "git"} <= set(found)
    assert [f for f in found.values() if f.state == "problem"] == []
    assert "embedded" in found["mlflow"].found


def test_a_service_that_does_not_answer_is_a_problem_with_advice(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = findings(tmp_path, settings, "connection refused")["mlflow"]
    assert found.state == "problem"
    assert "connection refused" in found.found
    assert "MLFLOW_TRACKING_URI" in found.do


def test_recipes_that_cannot_be_read_and_runs_and_items_that_came_to_nothing_are_named(
    tmp_path: Path, settings: Settings
) -> None:
    workspace = Workspace(tmp_path)
    for name, more in (("birds", {}), ("bees", {"acept": {}})):
        recipe = {"name": name, "content": {"kind": "image", "size": [8, 8]}, "sources": [{"kind": "folder", "path": "in"}]}
        write_text(tmp_path / "recipes" / f"{name}.yaml", json.dumps(recipe | more))
    assert {"recipe bees"} == {what for what in findings(tmp_path, settings) if what.endswith(("birds", "bees"))}
    assert "did you mean" in findings(tmp_path, settings)["recipe bees"].found + findings(tmp_path, settings)["recipe bees"].do

    made = pictures(workspace.clean("birds"), train=8, validation=4, test=4)
    told = made.contents.model_copy(update={"collected": 20, "dropped": {"corrupt": 3, "size": 1}})
    stored.write(workspace.clean("birds") / CONTENTS, told)
    folder = workspace.run("0123")
    stored.write(folder / "run.json", Begun(recipe="birds", data="d"))
    write_text(folder / "round-1" / "trained.json", "{}")
    assert reached(folder) == "round 1 trained"
    bad = Diagnosis(finding="diverged", evidence="updates were not finite")
    stored.write(folder / "round-1-record.json", Round(model=None, evaluation=None, diagnosis=bad))
    assert reached(folder) == "round 1 gave no model: diverged, updates were not finite"
    found = findings(tmp_path, settings)
    assert found["data birds"].found == "4 of 20 items are left out (3 by corrupt, 1 by size)"
    assert "genwright data show birds" in found["data birds"].do
    assert "gave no model: diverged" in found["run birds"].found
    assert "train.learning_rate" in found["run birds"].do


def run(workspace: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace), **variables}
    command = [sys.executable, "-m", "genwright", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_the_doctor_asks_the_configured_addresses(tmp_path: Path) -> None:
    dead = "http://127.0.0.1:9"
    done = run(tmp_path, "doctor", "--json", PREFECT_API_URL=dead + "/api", MLFLOW_TRACKING_URI=dead)
    assert done.returncode == 1, done.stderr
    states = {f["what"]: f["state"] for f in reversed(json.loads(done.stdout))}
    assert states["prefect"] == states["mlflow"] == "problem"


def test_status_of_a_workspace_in_which_nothing_has_run(tmp_path: Path) -> None:
    empty = run(tmp_path, "status")
    assert "genwright new" in empty.stdout
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "digits.yaml").write_text("name: digits\n")
    rows = json.loads(run(tmp_path, "status", "--json").stdout)
    assert rows == [{"recipe": "digits", "run": None, "data": None, "champion": None, "foreign": None, "measures": {}}]
    wrong = run(tmp_path, "status", "digts")
    assert wrong.returncode == 1
    assert "did you mean 'digits'" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_what_another_release_left_is_told_or_passed_over(tmp_path: Path) -> None:
    """Records of runs, a retraining and servers, without a number or with a later one: nothing crashes, nothing blocks."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "digits.yaml").write_text("name: digits\n")
    later = '{"format": 99, "genwright": "9.0.0"}'
    for place, text in (
        ("runs/0123/run.json", '{"recipe": "digits", "data": "d"}'),
        ("runs/4567/run.json", later),
        ("requests/digits.json", later),
        ("spending/digits/1.json", "{"),
        ("up.json", later),
    ):
        write_text(tmp_path / ".genwright" / place, text)
    rows = json.loads(run(tmp_path, "status", "--json").stdout)
    assert rows[0]["run"] is None
    with exclusive(Workspace(tmp_path).lock("up"), busy=""):
        done = run(tmp_path, "doctor", "--json")
    found = next(f for f in json.loads(done.stdout) if f["what"] == "up")
    assert (done.returncode, found["state"]) == (1, "problem")
    assert "written by Genwright 9.0.0" in found["found"]
    assert "install Genwright 9.0.0" in found["do"]


def test_what_the_last_run_makes_while_it_trains_is_a_page(tmp_path: Path, settings: Settings) -> None:
    from genwright.training.fit import Fit
    from tests import made

    workspace = Workspace(tmp_path)
    write_text(tmp_path / "recipes" / "birds.yaml", "name: birds\n")
    nothing = run(tmp_path, "status", "birds", "--page")
    assert nothing.returncode == 1
    assert "no run to look at" in nothing.stderr
    folder = workspace.run("0123456789abcdef")
    stored.write(folder / "run.json", Begun(recipe="birds", data="d"))
    data = pictures(workspace.clean("birds"))
    for place in ("race/gan-x0.125", "round-1"):
        points = iter(Fit(data, made.plan(data, "gan"), folder / place, settings, data="d"))
        for _ in range(9):
            next(points)
        points.close()  # type: ignore[attr-defined]
    page = Path(json.loads(run(tmp_path, "status", "birds", "--page", "--json").stdout)["page"]).read_text()
    assert page.index("<h2>round-1</h2>") < page.index("<h2>race/gan-x0.125</h2>")
    assert page.count("<img") == 4
    assert "in the first round" in page or "in the race" in page
