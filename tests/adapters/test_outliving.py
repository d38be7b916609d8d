"""State that outlives its place, its makers and their mistakes: moved and copied workspaces, versions made by hand, databases
that are behind, damaged or lost, ledgers that were altered."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine
from typer.testing import CliRunner

from genwright.adapters.mlflow import checkup, database
from genwright.adapters.mlflow.registry import Registry
from genwright.adapters.mlflow.runs import Runs
from genwright.commands.app import build
from genwright.core.errors import GenwrightError, ModelError, ServiceError
from genwright.core.workspace import Workspace
from genwright.lifecycle.doctor import Check
from tests import registered

BEFORE = "75868b020152"
"""A schema of MLflow some releases ago."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """With versions 1 and 2, the second champion after the first."""
    workspace = registered.workspace(tmp_path / "workspace")
    registered.promote(workspace)
    registered.promote(workspace, seed=1)
    return workspace


def client(workspace: Workspace) -> MlflowClient:
    """MLflow as anybody opens it."""
    return MlflowClient(f"sqlite:///{workspace.state / 'mlflow.db'}")


def told(workspace: Workspace) -> list[Check]:
    return [check for check in checkup.check(workspace) if check.state != "ok"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copied_workspace_stands_on_its_own_and_touches_nothing_of_the_original(workspace: Workspace, tmp_path: Path) -> None:
    copy = Workspace(Path(shutil.copytree(workspace.root, tmp_path / "copy")))
    before = files(workspace.root)
    assert "was moved or copied" in told(copy)[0].found
    registered.register(copy, seed=2)
    registered.register(copy, seed=3)
    gone = Registry(copy).prune("digits", 1)
    assert [version.version for version in gone] == [3]
    assert Runs(copy).experiment("digits")
    assert files(workspace.root) == before
    shutil.rmtree(workspace.root)  # nor does it need it
    shutil.rmtree(copy.state / "models", ignore_errors=True)
    assert Registry(copy).fetch(Registry(copy).current("digits"))
    assert registered.roll_back(Registry(copy), "still here").after == 1
    assert not [check for check in told(copy) if "moved" in check.found]


def test_nothing_outside_the_workspace_is_removed(workspace: Workspace, tmp_path: Path) -> None:
    """Whatever the database says of where the files of a version lie."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("years of work")
    registered.register(workspace, seed=2)
    registered.register(workspace, seed=3)
    with closing(sqlite3.connect(workspace.state / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE logged_models SET artifact_location = ?", (elsewhere.as_uri(),))
    assert Registry(workspace).prune("digits", 1)
    assert (elsewhere / "precious").read_text() == "years of work"


@pytest.fixture
def foreign(workspace: Workspace) -> Workspace:
    """With a version 3 made by hand, which the alias names."""
    made = client(workspace).create_model_version("digits", "file:///nowhere")
    client(workspace).set_registered_model_alias("digits", "champion", made.version)
    return workspace


def test_a_version_made_by_hand_holds_nothing_up(foreign: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(foreign)
    assert registry.versions.foreign("digits") == [3]
    assert [version.version for version in registry.versions.of("digits")] == [1, 2]
    assert registry.current("digits").version == 2  # the last that the ledger knows of
    third = registered.register(foreign, seed=2)
    assert third.version == 4
    assert "not registered by Genwright; the alias champion names 3" in told(foreign)[0].found
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(foreign.root))
    shown = CliRunner().invoke(build(), ["models", "digits"])
    assert "version 3 (champion) not registered by Genwright" in " ".join(shown.output.split())
    assert CliRunner().invoke(build(), ["status"]).exit_code == 0
    assert registry.prune("digits", 1) == []  # versions 1 and 2 are needed, 4 is the newest


def test_promoting_and_going_back_put_the_alias_right(foreign: Workspace) -> None:
    registry = Registry(foreign)
    assert registered.roll_back(registry, "that was no model").after == 1
    assert registry.alias("digits", "champion") == 1
    assert registry.ledger("digits").entries()[-2].what == "noticed"
    with pytest.raises(ModelError, match="Version 3 of digits was not registered by Genwright"):
        registry.versions.get("digits", 3)


def test_the_same_version_can_be_promoted_again_to_put_the_alias_right(
    foreign: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(foreign.root))
    assert CliRunner().invoke(build(), ["promote", "digits", "2", "--why", "it is the champion"]).exit_code == 0
    assert Registry(foreign).alias("digits", "champion") == 2


def test_an_altered_ledger_is_not_followed(workspace: Workspace) -> None:
    """A line says that version 3 was champion before: going back goes where MLflow's alias says."""
    registry = Registry(workspace)
    registered.register(workspace, seed=2)
    path = registry.ledger("digits").path
    path.write_bytes(path.read_bytes().replace(b'"after": 1', b'"after": 3', 1))
    assert "altered" in told(workspace)[0].found
    assert registered.roll_back(registry, "bad").after == 1


def test_killed_after_it_was_noted_no_champion_stays_a_challenger(workspace: Workspace) -> None:
    registry = Registry(workspace)
    registry.mlflow.client.set_registered_model_alias("digits", "challenger", "2")  # what was left to do
    registry.settle("digits")
    assert registry.alias("digits", "challenger") is None
    assert registry.alias("digits", "champion") == 2


def behind(file: Path) -> None:
    """A database as an earlier MLflow made it, with a registered model in it."""
    engine = create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    command.upgrade(_get_alembic_config(f"sqlite:///{file}"), BEFORE)  # type: ignore[no-untyped-call]
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO registered_models (name, creation_time) VALUES ('birds', 1)")


def test_a_database_of_an_earlier_mlflow_is_brought_up_to_date_after_a_copy_was_made(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.state.mkdir()
    behind(workspace.state / "mlflow.db")
    assert BEFORE in told(workspace)[0].found
    assert Registry(workspace).versions.names() == ["birds"]
    assert database.revision(workspace.state / "mlflow.db") == database.newest()
    assert database.revision(workspace.state / f"mlflow-{BEFORE}.bak") == BEFORE
    assert told(workspace) == []


def test_one_whose_mark_alone_is_old_is_only_marked(workspace: Workspace) -> None:
    with closing(sqlite3.connect(workspace.state / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (BEFORE,))
    assert Registry(workspace).current("digits").version == 2
    assert database.revision(workspace.state / "mlflow.db") == database.newest()


def test_one_that_cannot_be_brought_up_is_left_as_it_was(workspace: Workspace) -> None:
    """Marked as old, and a table short: no migration leads from there to here."""
    file = workspace.state / "mlflow.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (BEFORE,))
        connection.execute("ALTER TABLE experiments DROP COLUMN last_update_time")
    with pytest.raises(ServiceError, match="another schema") as caught:
        Registry(workspace).current("digits")
    assert f"mlflow-{BEFORE}.bak is as it was found" in str(caught.value)
    assert len(str(caught.value)) < 600
    assert database.revision(file) == BEFORE
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM model_versions").fetchone() == (2,)


def torn(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:40960] = b"\xa5" * (40960 - 4096)
    file.write_bytes(bytes(data))


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def gone(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("harm", [torn, emptied, gone, lambda file: file.write_bytes(b"a database once" * 999)])
def test_a_database_that_is_damaged_or_lost_is_said_with_the_way_out(harm: Callable[[Path], Any], workspace: Workspace) -> None:
    """And nothing is begun beside a ledger that knows better."""
    file = workspace.state / "mlflow.db"
    kept = file.read_bytes()
    harm(file)
    harmed = file.read_bytes() if file.exists() else None
    with pytest.raises(ServiceError, match="cannot be used") as caught:
        Registry(workspace).champion("digits")
    assert "put a copy of it back" in str(caught.value)
    with pytest.raises(ServiceError):
        registered.register(workspace, seed=2)
    assert (file.read_bytes() if file.exists() else None) == harmed
    [problem] = told(workspace)
    assert problem.state == "problem"
    assert problem.do
    file.write_bytes(kept)
    assert Registry(workspace).current("digits").version == 2


def test_the_advice_for_a_deleted_experiment_works(workspace: Workspace, tmp_path: Path) -> None:
    import subprocess

    runs = Runs(workspace)
    client(workspace).delete_experiment(runs.experiment("digits"))
    with pytest.raises(ServiceError, match="is deleted") as caught:
        runs.experiment("digits")
    advice = str(caught.value.do)
    assert advice in [check.do for check in told(workspace)]
    subprocess.run(advice, shell=True, check=True, cwd=tmp_path, capture_output=True)
    assert runs.experiment("digits")
    assert not (tmp_path / "mlflow.db").exists()


def promote(root: Path, number: int, start: Any, answers: Any) -> None:
    """A person who promotes at the same moment as another."""
    import os

    os.environ["GENWRIGHT_WORKSPACE"] = str(root)
    start.wait(60)
    done = CliRunner().invoke(build(), ["promote", "digits", str(number), "--why", "mine"])
    answers.put((number, done.exit_code, str(done.exception or "")))


def test_two_who_promote_at_once_do_not_both_succeed(tmp_path: Path) -> None:
    """What there is to be replaced is read before anything slow is done."""
    spawn = multiprocessing.get_context("spawn")
    workspace = registered.workspace(tmp_path / "workspace")
    registered.promote(workspace)
    for seed in (1, 2):
        registered.register(workspace, seed)
    start, answers = spawn.Barrier(2), spawn.Queue()
    rivals = [spawn.Process(target=promote, args=(workspace.root, number, start, answers)) for number in (2, 3)]
    for rival in rivals:
        rival.start()
    said = [answers.get(timeout=120) for _ in rivals]
    for rival in rivals:
        rival.join(60)
    assert sorted(code == 0 for _, code, _ in said) == [False, True]
    assert any("another promotion came first" in words for _, _, words in said)


def test_one_who_says_whom_to_replace_replaces_nobody_else(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(workspace.root))
    done = CliRunner().invoke(build(), ["promote", "digits", "1", "--why", "older", "--expect", "1"])
    assert isinstance(done.exception, GenwrightError)
    assert Registry(workspace).current("digits").version == 2
    assert CliRunner().invoke(build(), ["promote", "digits", "1", "--why", "older", "--expect", "2"]).exit_code == 0
