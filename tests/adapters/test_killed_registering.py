"""Killed between upload, version, tag and alias: a repeated call leaves one version and a champion that resolves."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from genwright.adapters.mlflow.registry import Registry
from genwright.adapters.mlflow.runs import Runs
from genwright.core.workspace import Workspace
from genwright.lifecycle.ledger import Ledger
from tests import registered

POINTS = [
    ("before", MlflowClient, "create_logged_model"),
    ("after", MlflowClient, "create_logged_model"),
    ("after", MlflowClient, "log_model_artifacts"),
    ("before", MlflowClient, "finalize_logged_model"),
    ("after", MlflowClient, "finalize_logged_model"),
    ("after", MlflowClient, "create_registered_model"),
    ("before", MlflowClient, "create_model_version"),
    ("after", MlflowClient, "create_model_version"),
    ("after", MlflowClient, "set_model_version_tag"),
    ("before", MlflowClient, "set_registered_model_alias"),
    ("after", MlflowClient, "set_registered_model_alias"),
    ("before", Ledger, "append"),
    ("after", Ledger, "append"),
    ("after", MlflowClient, "create_run"),
    ("after", MlflowClient, "log_batch"),
]


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def promote_and_die(root: Path, when: str, owner: type, method: str) -> None:
    """In a child: register and promote, killed before or after its first call of a method."""
    original: Callable[..., Any] = getattr(owner, method)

    def last(*given: Any, **options: Any) -> None:
        if when == "after":
            original(*given, **options)
        die()

    setattr(owner, method, last)
    registered.promote(Workspace(root))


@pytest.mark.parametrize(("when", "owner", "method"), POINTS, ids=lambda value: getattr(value, "__name__", value))
def test_killed_anywhere_a_repeated_call_finishes(when: str, owner: type, method: str, tmp_path: Path) -> None:
    workspace = registered.workspace(tmp_path / "workspace")
    model = registered.trained(0)
    child = multiprocessing.get_context("fork").Process(target=promote_and_die, args=(workspace.root, when, owner, method))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL

    registry = Registry(workspace)
    version = registered.register(workspace)
    champion = registry.champion("digits")
    registered.make_champion(registry, version, expected=champion.version if champion else None, why="the same command again")

    assert [v.weights for v in registry.versions.of("digits")] == [model.weights]
    assert registry.current("digits") == version
    assert registry.versions.download(version, fresh=True).is_dir()
    assert registry.ledger("digits").champions() == [1]
    experiment = Runs(workspace).experiment("digits")
    runs = registry.mlflow.client.search_runs([experiment])
    assert sorted(run.data.tags["genwright.kind"] for run in runs) == ["pipeline", "round"]
    [nested] = [run for run in runs if run.data.tags["genwright.kind"] == "round"]
    assert len(registry.mlflow.client.get_metric_history(nested.info.run_id, "loss.model")) == len(model.curve)
    assert len(registry.mlflow.client.search_logged_models([experiment])) == 1


def open_database(root: Path) -> None:
    """In a child: MLflow makes its database."""
    Runs(Workspace(root)).experiment("digits")


def test_killed_while_mlflow_makes_its_tables_the_next_call_makes_them_all(tmp_path: Path) -> None:
    making = tmp_path / ".genwright" / "mlflow-new.db"
    child = multiprocessing.get_context("spawn").Process(target=open_database, args=(tmp_path,))
    child.start()
    while not (making.exists() and making.stat().st_size > 20_000):
        assert child.is_alive()
        time.sleep(0.001)
    child.kill()
    child.join()
    assert not Workspace(tmp_path).state.joinpath("mlflow.db").exists()
    assert Runs(Workspace(tmp_path)).experiment("digits")
    assert not making.exists()
