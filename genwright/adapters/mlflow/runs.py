"""Runs in MLflow: one a pipeline run, one nested in it for every round; each found again by its tags, never doubled."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import register_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag, Metric, Param, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy.exc import SQLAlchemyError

from genwright import __version__
from genwright.core.durable import exclusive
from genwright.core.errors import ServiceError
from genwright.core.record import dotted
from genwright.core.workspace import Workspace
from genwright.data.records import DatasetVersion
from genwright.evaluation.records import Evaluation
from genwright.models.records import Plan
from genwright.training.records import CurvePoint, Diagnosis, TrainedModel

RECIPE = "recipe.json"  # artifact of a round: the recipe it was trained by
PROBE_SECONDS = 3  # to connect, and again to be answered
LOCKED_SECONDS = 60  # an embedded database may be locked by another process that long


def answers(uri: str) -> str | None:
    """None when an MLflow server answers there (or the address is no server's), else the reason, within seconds."""
    address = urlsplit(uri)
    if address.scheme not in ("http", "https"):
        return None
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), PROBE_SECONDS).close()
        endpoint = "/api/2.0/mlflow/experiments/search?max_results=1"
        credentials = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
        answer = http_request(credentials, endpoint, "GET", max_retries=0, timeout=PROBE_SECONDS)  # type: ignore[no-untyped-call]
        return None if answer.status_code == 200 and "experiments" in answer.json() else f"HTTP {answer.status_code}"
    except (OSError, ValueError, MlflowException) as error:
        return str(error)


def server(workspace: Workspace, port: int) -> tuple[list[str], dict[str, str]]:
    """The program that serves the workspace's database on the loopback address, and what it needs in its environment."""
    Tracking(workspace).client  # noqa: B018  (creates or migrates the database)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{workspace.state / 'mlflow.db'}"]
    command += ["--default-artifact-root", (workspace.state / "mlartifacts").as_uri()]
    return command, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class DvcSource(DatasetSource):
    """Where a data version lies: a recipe and the DVC hash of its cleaned folder."""

    def __init__(self, recipe: str, digest: str) -> None:
        self.recipe, self.digest = recipe, digest

    @staticmethod
    def _get_source_type() -> str:
        return "dvc"

    def load(self) -> str:
        """The hash; `genwright data restore` brings the bytes back."""
        return self.digest

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, DatasetVersion)

    @classmethod
    def _resolve(cls, raw_source: DatasetVersion) -> DvcSource:
        return cls(raw_source.recipe, raw_source.digest)

    def to_dict(self) -> dict[str, Any]:
        return {"recipe": self.recipe, "digest": self.digest}

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> DvcSource:
        return cls(source_dict["recipe"], source_dict["digest"])


register_dataset_source(DvcSource)  # type: ignore[arg-type]


class Tracking:
    """Experiments and runs of a workspace, in its own SQLite file or where MLFLOW_TRACKING_URI says.

    Every method raises ServiceError where MLflow does not answer or refuses.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.uri = workspace.mlflow_uri
        self.embedded = self.uri == f"sqlite:///{workspace.state / 'mlflow.db'}"
        if self.embedded:
            self.uri += f"?timeout={LOCKED_SECONDS}"

    @property
    def remote(self) -> bool:
        """Whether a server is asked, rather than a database opened here."""
        return urlsplit(self.uri).scheme in ("http", "https")

    @property
    def database(self) -> Path:
        """The embedded database."""
        return self.workspace.state / "mlflow.db"

    @cached_property
    def client(self) -> MlflowClient:
        """The client, once MLflow has answered. Raises ServiceError within seconds where it does not."""
        if self.remote:
            self._probe()
        with self.service("connecting"), exclusive(self.workspace.lock("mlflow-open"), busy="", wait=True):
            if self.embedded:
                self.database.parent.mkdir(parents=True, exist_ok=True)
            client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            client.search_experiments(max_results=1)  # creates or migrates an embedded database
        return client

    def _probe(self) -> None:
        problem = answers(self.uri)
        if problem is not None:
            raise ServiceError(
                "MLflow does not answer; nothing was registered or promoted.",
                got=f"{self.uri}: {problem}",
                do="start it, correct MLFLOW_TRACKING_URI, or unset it to use the workspace's own database",
            )

    @contextmanager
    def service(self, doing: str) -> Iterator[None]:
        """Turn MLflow's exceptions into a ServiceError that says what was being done."""
        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            raise ServiceError(
                f"MLflow failed while {doing}.", got=f"{self.uri}: {error}", do="run `genwright doctor`"
            ) from error

    def experiment(self, recipe: str) -> str:
        """The id of the recipe's experiment; created on first use, with an absolute artifact location when embedded."""
        with self.service(f"opening the experiment {recipe}"), exclusive(self.workspace.lock("mlflow"), busy="", wait=True):
            found = self.client.get_experiment_by_name(recipe)
            if found is None:
                place = (self.workspace.state / "mlartifacts" / recipe).as_uri() if self.embedded else None
                return str(self.client.create_experiment(recipe, artifact_location=place))
        if found.lifecycle_stage != "active":
            raise ServiceError(
                f"The MLflow experiment {recipe} is deleted.", do=f"mlflow experiments restore -x {found.experiment_id}"
            )
        return str(found.experiment_id)

    def parent_run(self, recipe: str, fingerprint: str, why: str = "") -> str:
        """The run of one pipeline run, by its fingerprint; the same one after a crash."""
        tags = {"genwright.fingerprint": fingerprint, "genwright.kind": "pipeline", "genwright.why": why}
        return self._run(recipe, tags, f"{recipe} {fingerprint[:8]}")

    def round_run(self, recipe: str, parent: str, plan: Plan) -> str:
        """The nested run of one round: its number and reason as tags, its plan as parameters."""
        tags = {"mlflow.parentRunId": parent, "genwright.kind": "round", "genwright.round": str(plan.round)}
        run = self._run(recipe, {**tags, "genwright.why": plan.why}, f"round {plan.round}")
        params = [Param(key, str(value)) for key, value in dotted(plan.model_dump(mode="json")).items()]
        with self.service("logging a plan"):
            self.client.log_batch(run, params=params)
        return run

    def _run(self, recipe: str, tags: dict[str, str], name: str) -> str:
        """The run with those tags (`genwright.why` aside), created where there is none, running again where it had ended."""
        experiment = self.experiment(recipe)
        identity = {key: value for key, value in tags.items() if key != "genwright.why"}
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in identity.items())
        with self.service("opening a run"), exclusive(self.workspace.lock("mlflow"), busy="", wait=True):
            found = self.client.search_runs([experiment], wanted, ViewType.ACTIVE_ONLY, 1, ["attributes.start_time ASC"])
            if found:
                self.client.update_run(found[0].info.run_id, status="RUNNING")
                return str(found[0].info.run_id)
            tags = {**tags, "genwright.version": __version__, "mlflow.source.name": "genwright", "mlflow.source.type": "JOB"}
            return str(self.client.create_run(experiment, tags=tags, run_name=name).info.run_id)

    def end_run(self, run: str, status: str = "FINISHED", tags: dict[str, str] | None = None) -> None:
        """Close a run as FINISHED, FAILED or KILLED."""
        with self.service("closing a run"):
            for key, value in (tags or {}).items():
                self.client.set_tag(run, key, value)
            self.client.set_terminated(run, status)

    def end_round(self, run: str, trained: TrainedModel | None, evaluation: Evaluation | None, diagnosis: Diagnosis) -> None:
        """Log all that a round gave (safe to repeat) and close its run; a round without a model failed."""
        tags = {"genwright.finding": diagnosis.finding, "genwright.evidence": diagnosis.evidence}
        if diagnosis.change:
            tags["genwright.change"] = diagnosis.change
        if trained is not None:
            self.log_curve(run, trained.curve)
            tags |= {"genwright.weights": trained.weights, "genwright.stopped": trained.stopped}
        if evaluation is not None:
            self.log_evaluation(run, evaluation, trained.best_step if trained else 0)
        self.end_run(run, "FINISHED" if trained is not None else "FAILED", tags)

    def log_curve(self, run: str, curve: list[CurvePoint]) -> None:
        """Log the points that are not there yet: losses by player, the held-out measure, rates. Safe to repeat."""
        self._log(run, [(key, value, point.step) for point in curve for key, value in _numbers(point).items()])

    def log_evaluation(self, run: str, evaluation: Evaluation, step: int = 0) -> None:
        """Log every measure of the test split with the ends of its interval. Safe to repeat."""
        rows = []
        for name, measured in evaluation.measures.items():
            ends = {"": measured.value, ".low": measured.low, ".high": measured.high, ".floor": measured.floor}
            rows += [(f"test.{name}{end}", value, step) for end, value in ends.items() if value is not None]
        self._log(run, rows)

    def log_cost(self, run: str, spent: dict[str, float]) -> None:
        """Set what a run cost, as `cost.wall_seconds` and the like; a run that was gone on with has several values."""
        with self.service("logging what it cost"):
            now = int(time.time() * 1000)
            self.client.log_batch(run, metrics=[Metric(f"cost.{key}", value, now, 0) for key, value in spent.items()])

    def _log(self, run: str, rows: list[tuple[str, float, int]], size: int = 1000) -> None:
        """Time stamps follow from the step, so a repeated row is the same row and MLflow keeps one; a step that is
        already logged under a key stays as it was."""
        with self.service("logging measures"):
            began = self.client.get_run(run).info.start_time
            logged = {(key, m.step) for key in {r[0] for r in rows} for m in self.client.get_metric_history(run, key)}
            metrics = [Metric(key, value, began + step, step) for key, value, step in rows if (key, step) not in logged]
            for start in range(0, len(metrics), size):
                self.client.log_batch(run, metrics=metrics[start : start + size])

    def log_dataset(self, run: str, version: DatasetVersion) -> None:
        """Link a run to the data version it learned from."""
        source = DvcSource._resolve(version)
        dataset = MetaDataset(source, name=version.recipe, digest=version.digest)  # type: ignore[abstract]
        with self.service("linking the data version"):
            entry = DatasetInput(dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", "training")])
            self.client.log_inputs(run, [entry])
            self.client.set_tag(run, "genwright.data", version.digest)

    def log_artifact(self, run: str, path: Path, folder: str | None = None) -> None:
        """Keep a file, or what a folder holds, with a run; `folder` is a place within the run's artifacts."""
        with self.service(f"storing {path.name}"):
            if path.is_dir():
                self.client.log_artifacts(run, str(path), folder)
            else:
                self.client.log_artifact(run, str(path), folder)

    def read_text(self, run: str, name: str) -> str | None:
        """A text kept with a run; None where there is none of that name."""
        with self.service(f"reading {name}"):
            if name not in [file.path for file in self.client.list_artifacts(run)]:
                return None
            with TemporaryDirectory() as folder:
                return Path(self.client.download_artifacts(run, name, folder)).read_text()

    def log_text(self, run: str, text: str, name: str) -> None:
        """Keep a text as a file with a run."""
        with self.service(f"storing {name}"):
            self.client.log_text(run, text, name)


def _numbers(point: CurvePoint) -> dict[str, float]:
    """The values of a curve point by metric name."""
    found = {f"loss.{player}": loss for player, loss in point.losses.items()}
    for name in ("score", "train_loss", "validation_loss", "learning_rate", "items_per_second"):
        value = getattr(point, name)
        if value is not None:
            found[name] = value
    if point.skipped:
        found["skipped"] = point.skipped
    return found
