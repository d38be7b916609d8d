"""A byte turned in what a real run left: the doctor names it and the way out, and the way out leads out."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workspaces import genwright
from trials.flips import flip, prepare

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose recipe has run."""
    root = tmp_path_factory.mktemp("ran") / "workspace"
    root.mkdir()
    prepare(root)
    done = genwright(root, "run", "shapes", "--json")
    assert done.returncode == 0, done.stderr
    assert found(root) == []
    return root


def found(root: Path) -> list[dict[str, Any]]:
    """What the doctor finds that is not in order."""
    said = genwright(root, "doctor", "--json")
    checks: list[dict[str, Any]] = json.loads(said.stdout)
    wrong = [check for check in checks if check["state"] != "ok" and check["what"] in ("prefect", "models", "data", "runs")]
    assert said.returncode == any(check["state"] == "problem" for check in wrong), said.stderr
    return wrong


def tear(file: Path) -> None:
    """Pages of a database written over."""
    data = bytearray(file.read_bytes())
    data[4096 : len(data) // 2] = b"\xa5" * (len(data) // 2 - 4096)
    file.write_bytes(bytes(data))


def turn(file: Path) -> None:
    flip(file, random.Random(0))


@pytest.mark.parametrize(
    ("pattern", "harm", "state", "said", "do"),
    [
        (".genwright/mlartifacts/**/bundle/weights.safetensors", turn, "problem", "not those", "promote"),
        (".genwright/prefect/prefect.db", tear, "problem", "prefect.db cannot be read", "move"),
        (".genwright/mlflow.db", tear, "problem", "mlflow.db", "move"),
        ("data/shapes/clean/train.content.npy", turn, "note", "is not what was made", "nothing"),
        ("data/shapes/versions.jsonl", lambda file: file.write_text("{"), "problem", "damaged", "put the line right"),
        (".genwright/runs/*/selection.json", turn, "note", "1 of 5 records", "nothing"),
    ],
    ids=["weights", "prefect", "mlflow", "data", "versions", "record"],
)
def test_what_is_broken_is_named_with_the_way_out(
    pattern: str, harm: Callable[[Path], Any], state: str, said: str, do: str, ran: Path, tmp_path: Path
) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(ran, root, symlinks=True)
    genwright(root, "status")  # a copy finds its place first
    [file] = root.glob(pattern)
    harm(file)
    checks = found(root)
    assert [(check["state"], said in check["found"], do in check["do"]) for check in checks] == [(state, True, True)], checks
    if state == "note" or "prefect" in pattern:  # those that say what to do, and have nothing to lose by it
        if do == "move":
            file.rename(tmp_path / "aside")
        again = genwright(root, "run", "shapes", "--json")
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout)["champion"] == 1
        assert found(root) == []


def test_a_damaged_prefect_database_ends_a_run_with_a_sentence(ran: Path, tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(ran, root, symlinks=True)
    (root / ".genwright" / "prefect" / "prefect.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(sqlite3.DatabaseError):  # who opens it without asking
        sqlite3.connect(root / ".genwright" / "prefect" / "prefect.db").execute("select * from flow_run")
    done = genwright(root, "run", "shapes")
    assert done.returncode == 1, done.stderr
    assert "genwright doctor" in done.stderr
    assert "sqlite3.DatabaseError" in done.stderr
