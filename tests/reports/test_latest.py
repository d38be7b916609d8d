"""The page of a run is found again, written once, and written anew when something on it changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genwright.core import stored
from genwright.core.durable import write_text
from genwright.core.errors import RecipeError
from genwright.core.workspace import Workspace
from genwright.reports.latest import PAGE, RECORD, Written, latest


def written(workspace: Workspace, identity: str, recipe: str, at: int) -> Path:
    folder = workspace.run(identity)
    write_text(folder / PAGE, "<p>page</p>")
    record = folder / f"{RECORD}.json"
    stored.write(record, Written(recipe=recipe, inputs="x", samples="samples.png"))
    os.utime(record, (at, at))
    return folder / PAGE


def test_the_newest_page_of_the_recipe(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    written(workspace, "a" * 16, "digits", 100)
    newest = written(workspace, "b" * 16, "digits", 200)
    written(workspace, "c" * 16, "verses", 300)
    assert latest(workspace, "digits") == (newest, newest.with_name("samples.png"))


def test_a_recipe_never_run_is_told_and_the_nearest_named(tmp_path: Path) -> None:
    written(Workspace(tmp_path), "a" * 16, "digits", 100)
    with pytest.raises(RecipeError, match=r"no report of digit\b.*digits"):
        latest(Workspace(tmp_path), "digit")


def test_a_record_of_another_release_or_without_its_page_does_not_count(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    page = written(workspace, "a" * 16, "digits", 100)
    written(workspace, "b" * 16, "digits", 200).unlink()
    write_text(workspace.run("c" * 16) / f"{RECORD}.json", '{"old": 1}')
    write_text(workspace.run("c" * 16) / PAGE, "")
    assert latest(workspace, "digits")[0] == page


def test_the_command_prints_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genwright.commands.app import build

    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(tmp_path))
    page = written(Workspace(tmp_path), "a" * 16, "digits", 100)
    assert CliRunner().invoke(build(), ["report", "digits"]).output.strip() == str(page)
    answer = json.loads(CliRunner().invoke(build(), ["report", "digits", "--json"]).output)
    assert answer == {"recipe": "digits", "report": str(page), "samples": str(page.with_name("samples.png"))}
