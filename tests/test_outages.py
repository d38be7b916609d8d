"""Servers and databases that go away in the middle of a run, and come back."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from genwright.adapters.mlflow import connection
from genwright.adapters.mlflow.registry import Registry
from genwright.adapters.prefect import server
from genwright.adapters.processes.children import Keeper, free_port, keeper
from genwright.core.workspace import Workspace
from tests.workspaces import PICTURES, fill, genwright, outcome, write

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
RECIPE = {
    **PICTURES,
    "select": {"families": ["vae"], "budget": {"steps": 4}},
    "train": {"budget": {"steps": 400}, "rounds": 1, "batch_size": 16, "evaluate": 10},
}
AWAY = 120.0  # seconds


def prepared(root: Path) -> Path:
    root.mkdir()
    fill(root / "shapes", "image", 150, kinds=3)
    write(root, RECIPE)
    return root


class Servers:
    """Prefect and MLflow apart from the workspace, on ports that stay theirs."""

    def __init__(self, kept: Keeper, root: Path) -> None:
        self.kept, self.root = kept, root
        self.prefect, self.mlflow = free_port(), free_port()
        self.variables = {
            "PREFECT_API_URL": f"http://127.0.0.1:{self.prefect}/api",
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{self.mlflow}",
        }

    def start(self) -> None:
        command, variables = connection.server(Workspace(self.root), self.mlflow)
        environment = {**server.environment(Workspace(self.root)), "PREFECT_HOME": str(self.root / "prefect")}
        self.children = [
            self.kept.start("prefect", server.command(self.prefect), lambda line: None, **environment),
            self.kept.start("mlflow", command, lambda line: None, **variables),
        ]
        prefect, mlflow = self.children
        prefect.wait(lambda: server.answers(self.variables["PREFECT_API_URL"]), self.root)
        mlflow.wait(lambda: connection.answers(self.variables["MLFLOW_TRACKING_URI"]), self.root)

    def stop(self) -> None:
        for child in self.children:
            child.process.kill()
            child.clear()


def training(root: Path, **variables: str) -> subprocess.Popen[str]:
    """A run that has begun to train."""
    command = [sys.executable, "-m", "genwright", "run", "shapes", "--json"]
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(root), "GENWRIGHT_THREADS": "1", **variables}
    running = subprocess.Popen(command, env=environment, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list((root / ".genwright" / "runs").glob("*/round-1/lock")):
        assert running.poll() is None, running.communicate()[1]
        time.sleep(0.05)
    return running


def ended(running: subprocess.Popen[str]) -> dict[str, Any]:
    out, said = running.communicate(timeout=600)
    assert "Traceback" not in said, said
    return outcome(subprocess.CompletedProcess(running.args, running.returncode, out, said))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The weights of the champion where nothing went wrong."""
    root = prepared(tmp_path_factory.mktemp("undisturbed") / "workspace")
    outcome(genwright(root, "run", "shapes", "--json"))
    return Registry(Workspace(root)).current("shapes").weights


def test_prefect_and_mlflow_may_be_away_for_two_minutes(
    undisturbed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = prepared(tmp_path / "workspace")
    with keeper() as kept:
        servers = Servers(kept, tmp_path / "elsewhere")
        servers.start()
        running = training(root, **servers.variables)
        servers.stop()
        began = time.monotonic()
        while time.monotonic() - began < AWAY:
            assert running.poll() is None, running.communicate()[1]
            time.sleep(1)
        assert list(root.glob(".genwright/runs/*/round-1/trained.json"))  # it went on training meanwhile
        servers.start()
        told = ended(running)
        assert told["champion"] == 1
        monkeypatch.setenv("MLFLOW_TRACKING_URI", servers.variables["MLFLOW_TRACKING_URI"])
        registry = Registry(Workspace(root))
        [version] = registry.versions.of("shapes")
        assert version.weights == undisturbed
        steps = [one.step for one in MlflowClient().get_metric_history(version.run, "loss.model")]
        assert steps == sorted(set(steps))  # every metric once
        assert steps[-1] == 400
        for child in servers.children:
            child.stop()


@contextmanager
def locked(database: Path, seconds: float) -> Iterator[None]:
    """Another program holds a database for itself, as backups and curious people do."""

    def hold() -> None:
        with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as other:
            other.execute("begin exclusive")
            held.set()
            time.sleep(seconds)
            other.execute("rollback")

    held, holding = threading.Event(), threading.Thread(target=hold)
    holding.start()
    assert held.wait(60)
    yield
    holding.join()


@pytest.mark.parametrize("name", ["mlflow.db", "prefect/prefect.db"])
def test_a_database_that_is_locked_for_twenty_seconds_is_waited_for(name: str, undisturbed: str, tmp_path: Path) -> None:
    root = prepared(tmp_path / "workspace")
    running = training(root)
    with locked(root / ".genwright" / name, 20):
        assert ended(running)["champion"] == 1
    registry = Registry(Workspace(root))
    assert [version.weights for version in registry.versions.of("shapes")] == [undisturbed]
    assert registry.verify("shapes") == []
