"""Runs in MLflow: found again rather than doubled, and an address that does not answer is said at once."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from genwright.adapters.mlflow.registry import Registry
from genwright.adapters.mlflow.runs import Runs
from genwright.core.errors import ServiceError
from genwright.core.workspace import Workspace
from genwright.data.records import DatasetVersion
from genwright.training.records import CurvePoint, Diagnosis
from tests import made, registered


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.chdir(tmp_path)
    return Runs(registered.workspace(tmp_path / "workspace"))


def test_a_repeated_run_is_the_same_run(runs: Runs) -> None:
    parent = runs.parent_run("digits", "a" * 64, "why")
    runs.end_run(parent)
    assert runs.parent_run("digits", "a" * 64, "another reason") == parent
    assert runs.mlflow.client.get_run(parent).info.status == "RUNNING"
    assert runs.parent_run("digits", "b" * 64) != parent
    plan = registered.trained(0).plan
    first = runs.round_run("digits", parent, plan)
    second = runs.round_run("digits", parent, plan.model_copy(update={"round": 2, "why": "the loss still fell"}))
    assert runs.round_run("digits", parent, plan) == first != second
    tags = runs.mlflow.client.get_run(second).data.tags
    assert tags["mlflow.parentRunId"] == parent
    assert tags["genwright.why"] == "the loss still fell"


def test_a_round_keeps_plan_curve_measures_and_finding(runs: Runs) -> None:
    model, scores = registered.trained(0), registered.evaluation(0, mmd=0.25)
    run = runs.round_run("digits", runs.parent_run("digits", "a" * 64), model.plan)
    runs.end_round(run, model, scores, Diagnosis(finding="collapsed", evidence="all alike", change="a lower rate"))
    kept = runs.mlflow.client.get_run(run)
    assert kept.info.status == "FINISHED"
    assert kept.data.params["candidate.family"] == "vae"
    assert kept.data.params["steps"] == "4"
    assert kept.data.metrics["test.mmd"] == 0.25
    assert kept.data.tags["genwright.finding"] == "collapsed"
    steps = [point.step for point in runs.mlflow.client.get_metric_history(run, "loss.model")]
    assert sorted(steps) == [point.step for point in model.curve if point.losses]


def test_a_curve_logged_again_after_a_crash_is_not_doubled(runs: Runs) -> None:
    run = runs.parent_run("digits", "a" * 64)
    curve = [CurvePoint(step=i, losses={"model": 1 / i}, score=float(i) if i % 4 == 0 else None) for i in range(1, 1300)]
    runs.log_curve(run, curve[:700])
    runs.log_curve(run, curve)
    runs.log_curve(run, [point.model_copy(update={"losses": {"model": 9.0}}) for point in curve])
    history = runs.mlflow.client.get_metric_history(run, "loss.model")
    assert [(m.step, m.value) for m in sorted(history, key=lambda m: m.step)] == [(p.step, 1 / p.step) for p in curve]
    assert len(runs.mlflow.client.get_metric_history(run, "score")) == 1299 // 4


def test_a_run_is_linked_to_the_hash_of_its_data(runs: Runs, tmp_path: Path) -> None:
    contents = made.pictures(tmp_path / "data").contents
    version = DatasetVersion(recipe="digits", digest=registered.DATA, path="data", contents=contents)
    run = runs.parent_run("digits", "a" * 64)
    runs.log_dataset(run, version)
    runs.log_dataset(run, version)
    inputs = runs.mlflow.client.get_run(run).inputs
    assert inputs is not None
    [given] = inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest, given.dataset.source_type) == ("digits", registered.DATA, "dvc")
    assert json.loads(given.dataset.source) == {"recipe": "digits", "digest": registered.DATA}


def test_artifacts_lie_in_the_workspace_wherever_it_is_run(runs: Runs, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("<p>all is well</p>")
    run = runs.parent_run("digits", "a" * 64)
    runs.log_artifact(run, page)
    [kept] = runs.workspace.state.glob("mlartifacts/digits/*/artifacts/report.html")
    assert kept.read_text() == "<p>all is well</p>"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "workspace"}


class NotMlflow(BaseHTTPRequestHandler):
    """Answers everything with 404, as a proxy or another program at that address does."""

    def do_GET(self) -> None:
        self.send_error(404)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def addresses() -> Iterator[dict[str, str]]:
    """Addresses that are not MLflow: closed, accepting but silent, and another program."""
    closed, silent = socket.socket(), socket.socket()
    for each in (closed, silent):
        each.bind(("127.0.0.1", 0))
    silent.listen()
    server = ThreadingHTTPServer(("127.0.0.1", 0), NotMlflow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = {"closed": closed.getsockname()[1], "silent": silent.getsockname()[1], "other": server.server_port}
    yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    server.shutdown()
    server.server_close()
    for each in (closed, silent):
        each.close()


@pytest.mark.parametrize("kind", ["closed", "silent", "other"])
def test_an_address_that_is_not_mlflow_is_said_within_seconds(
    kind: str, addresses: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above all, it does not look like a registry without a champion."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", addresses[kind])
    began = time.monotonic()
    with pytest.raises(ServiceError, match="MLflow does not answer") as caught:
        Registry(Workspace(tmp_path)).champion("digits")
    assert time.monotonic() - began < 10
    assert addresses[kind] in str(caught.value)
    assert "MLFLOW_TRACKING_URI" in str(caught.value)


def test_a_damaged_database_is_not_an_empty_one(tmp_path: Path) -> None:
    workspace = registered.workspace(tmp_path / "workspace")
    (workspace.state / "mlflow.db").write_bytes(b"this was a database once" * 1000)
    with pytest.raises(ServiceError):
        Registry(workspace).champion("digits")


def test_asking_an_untouched_workspace_leaves_it_untouched(tmp_path: Path) -> None:
    registry = Registry(Workspace(tmp_path))
    assert registry.champion("digits") is None
    assert registry.versions.names() == []
    assert list(tmp_path.iterdir()) == []
