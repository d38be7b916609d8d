"""Data in the forms that people have goes through `new`, `run` and `generate` as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import brought
from tests.workspaces import founded

pytestmark = [pytest.mark.long(minutes=6), pytest.mark.timeout(900), pytest.mark.usefixtures("team_server")]
ROOT = Path(__file__).parents[1]
SMALL = {
    "select.dials": "[0.125]",
    "select.budget": "{steps: 4}",
    "train.budget": "{steps: 8}",
    "train.rounds": "1",
    "samples": "16",
    "sampling": "{gpt: {most: 32}, seq2seq: {most: 32}}",
    "accept": "{}",
}
Told = dict[str, list[dict[str, Any]]]


def question(workspace: Path, form: str) -> list[str]:
    """How a model of a form is asked."""
    _, _, kind, asked = brought.FORMS[form]
    if asked == brought.LABELLED:
        return ["--label", {"labelled": "odd", "texts in shards": "0", "arrays": "0"}.get(form, "round")]
    if asked == brought.CAPTIONED:
        return ["--prompt", "a bright shape"]
    if asked == brought.PAIR:
        return ["--give", f"condition={workspace / 'picture.png'}"] if kind == "image" else ["--prompt", "What does it do?"]
    return []


def commands(workspace: Path, form: str) -> list[list[str]]:
    """What a person enters for data of a form that lies in `workspace`."""
    name, place = form.replace(" ", "-"), brought.FORMS[form][0](workspace / "inbox" / form)
    small = SMALL | ({"select.families": "[vae]"} if brought.FORMS[form][2] == "image" else {})
    sets = [part for key, value in small.items() for part in ("--set", f"{key}={value}")]
    drawn = ["-n", "2", "--out", str(workspace / "drawn" / form), "--json"]
    return [
        ["new", name, "--from", str(place), "--json"],
        ["run", name, "--json", *sets],
        ["generate", name, *drawn, *question(workspace, form)],
    ]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return founded(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def told(workspace: Path) -> Told:
    """What came of all forms; of a form that ended the process there is nothing."""
    (workspace / "picture.png").write_bytes(brought.pictures()[0])
    asked = json.dumps([commands(workspace, form) for form in brought.FORMS])
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace), "GENWRIGHT_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.driver"], input=asked, env=environment, cwd=workspace, capture_output=True, text=True
    )
    assert done.stdout, done.stderr
    return dict(zip(brought.FORMS, map(json.loads, done.stdout.splitlines()), strict=False))


@pytest.mark.parametrize("form", brought.FORMS)
def test_new_run_generate(form: str, workspace: Path, told: Told) -> None:
    _, reader, kind, _ = brought.FORMS[form]
    for done in told[form]:
        assert done["code"] == 0, done["error"]
    found, ran, drew = (json.loads(done["stdout"]) for done in told[form])
    assert (found["form"], found["content"]) == (reader, kind)
    assert ran["champion"] == 1
    files = [workspace / "drawn" / form / name for name in drew["files"]]
    assert len(files) == 2
    assert all(file.stat().st_size for file in files)
