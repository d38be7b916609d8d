"""`genwright promote` and `genwright rollback`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from genwright.adapters.mlflow.registry import GATE, Registry
from genwright.commands.app import build
from genwright.core.errors import GenwrightError, ModelError
from genwright.core.workspace import Workspace
from tests import registered


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a champion, version 1, and version 2."""
    workspace = registered.workspace(tmp_path / "workspace")
    registered.promote(workspace)
    registered.register(workspace, seed=1)
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(workspace.root))
    return workspace


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(build(), [*arguments, "--json"])
    if isinstance(done.exception, GenwrightError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_promote_and_back(workspace: Workspace) -> None:
    registry = Registry(workspace)
    registry.versions.tag(registry.versions.get("digits", 2), GATE, "passed")
    said = run("promote", "digits", "2", "--why", "I like it better")
    assert (said["what"], said["before"], said["after"], said["why"]) == ("promoted", 1, 2, "I like it better")
    said = run("rollback", "digits", "--why", "I do not")
    assert (said["what"], said["before"], said["after"]) == ("rolled back", 2, 1)
    assert registry.current("digits").version == 1


def test_what_the_gate_did_not_pass_needs_a_reason(workspace: Workspace) -> None:
    registry = Registry(workspace)
    with pytest.raises(ModelError, match="has not passed the gate"):
        run("promote", "digits", "2")
    registry.versions.tag(registry.versions.get("digits", 2), GATE, "recognised is 0.4, at least 0.85 is asked")
    with pytest.raises(ModelError, match="recognised is"):
        run("promote", "digits", "2")
    assert registry.current("digits").version == 1
    assert run("promote", "digits", "2", "--why", "the judge was wrong")["after"] == 2


def test_the_champion_is_not_promoted_again(workspace: Workspace) -> None:
    with pytest.raises(ModelError, match="champion of digits already"):
        run("promote", "digits", "1")


def test_there_is_nothing_before_the_first(workspace: Workspace) -> None:
    with pytest.raises(ModelError, match="had no champion before"):
        run("rollback", "digits")
