"""What a machine refuses is said as such, whoever met it first and however deep."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from genwright.commands import app
from genwright.core.errors import GenwrightError
from genwright.core.machine import refusal
from genwright.core.workspace import Settings, Workspace
from genwright.models.device import choose
from genwright.recipes.recipe import RecipeError, load


def led_to(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.json"), "disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk is full"),
        (led_to(RuntimeError("stage failed"), OSError(errno.ENOSPC, "No space left on device")), "disk is full"),
        (sqlite3.OperationalError("database or disk is full"), "disk is full"),
        (ExceptionGroup("several", [ValueError(), OSError(errno.ENOSPC, "full")]), "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "data"), "cannot be written"),
        (OSError(errno.EROFS, "Read-only file system", "data"), "cannot be written"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "cannot be written"),
    ],
)
def test_a_full_disk_and_a_closed_folder_are_said_with_what_to_do(error: BaseException, said: str) -> None:
    found = refusal(error)
    assert found is not None
    assert said in found.what
    assert found.do


OTHERS = [
    ValueError("disk is full"),
    OSError(errno.EINVAL, "odd"),
    KeyError("permission denied"),
    GenwrightError("disk is full"),
]


@pytest.mark.parametrize("error", OTHERS)
def test_other_errors_are_not_taken_for_it(error: BaseException) -> None:
    assert refusal(error) is None


def test_where_not_even_the_log_can_be_written_the_fault_is_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".genwright").write_text("a file where the folder should be")
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(tmp_path))
    console = Console(file=(tmp_path / "said").open("w"), width=200)
    assert app.explain(KeyError("odd"), console) == app.CRASH
    console.file.close()
    said = (tmp_path / "said").read_text()
    assert "cannot be written" in said
    assert "KeyError" in said


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [("GENWRIGHT_THREADS", "abc", "a valid integer"), ("GENWRIGHT_THREADS", "0", "greater than 0")],
)
def test_a_variable_that_cannot_be_used_is_named(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(GenwrightError, match=variable) as caught:
        Settings()
    assert f"{variable}={value}" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("device", ["cuda:97", "abacus"])
def test_a_device_that_is_not_there_is_answered_with_those_that_are(device: str) -> None:
    with pytest.raises(GenwrightError, match="no such device") as caught:
        choose(Settings(device=device))
    assert "auto, cpu" in str(caught.value)


@pytest.mark.parametrize("odd", ["what?", "50%", "number #1"])
def test_a_workspace_where_databases_would_land_elsewhere_is_refused(odd: str, tmp_path: Path) -> None:
    with pytest.raises(GenwrightError, match="cannot lie in a folder with"):
        Workspace(tmp_path / odd)
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_under_other_odd_names_stands_on_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genwright.adapters.mlflow.runs import Runs

    place = tmp_path / "año 'x' & [y] (z)"
    place.mkdir()
    workspace = Workspace(place)
    assert Runs(workspace).experiment("birds")
    assert (place / ".genwright" / "mlflow.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


RECIPE = "name: r\ncontent: {kind: image}\nsources: [{kind: sklearn, dataset: digits}]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"name: {'[' * 3000}{']' * 3000}\n", "nested too deeply"),
        (RECIPE + "samples: 10\nsamples: 20\n", "'samples' stands there twice"),
        (RECIPE + "train: {seed: 1, seed: 2}\n", "'seed' stands there twice"),
        (RECIPE + "samples: 1000000000000\n", "less than or equal to 1000000"),
        (RECIPE + "train: {seed: 100000000000000000000000}\n", "seed"),
        (RECIPE + "schedule: {every: 5s}\n", "shortest interval is 10s"),
        (RECIPE + "accept: {recognised: {at_least: 0.5}}\n", "needs items with a label"),
        (RECIPE + "accept: {chrf_gain: {skill: 0.5}}\n", "nothing naive is known"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused_when_it_is_read(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load(path)
    assert said in str(caught.value)


def test_setting_one_of_two_alternatives_replaces_the_other(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE + "train: {budget: {minutes: 4}}\nschedule: {cron: '0 3 * * 1'}\n")
    recipe = load(path, ["train.budget.steps=150", "schedule.every=6h"])
    assert (recipe.train.budget.steps, recipe.train.budget.minutes) == (150, None)
    assert recipe.schedule is not None
    assert (recipe.schedule.every, recipe.schedule.cron) == ("6h", None)


def test_the_release_is_said() -> None:
    from genwright import __version__

    assert CliRunner().invoke(app.build(), ["--version"]).output == f"genwright {__version__}\n"


def test_git_passes_over_what_is_ours(tmp_path: Path) -> None:
    Workspace(tmp_path).settle()
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    said = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout == ""


SMALL = ["select.families=[vae]", "content.size=[8,8]", "train.budget={steps: 24}", "train.rounds=1", "samples=16", "accept={}"]


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A folder; tests that may mount something there are skipped where nobody may."""
    place = tmp_path / "place"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    subprocess.run(["umount", str(place)], check=True)
    return place


def run(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace)}
    command = [sys.executable, "-m", "genwright", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300, cwd=workspace)


@pytest.mark.long
@pytest.mark.parametrize("size", [4, 9, 13])
def test_on_a_full_disk_one_sentence_is_said_and_nothing_is_called_a_fault(size: int, mounted: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(mounted)], check=True)
    try:
        (mounted / "recipes").mkdir()
        (mounted / "recipes" / "digits.yaml").write_bytes((Path(__file__).parents[2] / "recipes" / "digits.yaml").read_bytes())
        settings = [part for override in SMALL for part in ("--set", override)]
        done = run(mounted, "run", "digits", *settings, "--set", "select.budget={steps: 6}")
    finally:
        subprocess.run(["umount", str(mounted)], check=True)
    assert done.returncode == 1, done.stderr
    assert "The disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert "fault of Genwright" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("arguments", [("run", "digits"), ("new", "mine", "--from", ".")])
def test_a_workspace_that_cannot_be_written_is_said(arguments: tuple[str, ...], mounted: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", str(mounted)], check=True)
    try:
        (mounted / "recipes").mkdir()
        (mounted / "recipes" / "digits.yaml").write_bytes((Path(__file__).parents[2] / "recipes" / "digits.yaml").read_bytes())
        (mounted / "a.txt").write_text("a text")
        for number in range(60):
            (mounted / f"{number}.txt").write_text(f"text {number}")
        subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
        done = run(mounted, *arguments)
    finally:
        subprocess.run(["umount", str(mounted)], check=True)
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
