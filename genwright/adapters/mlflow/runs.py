"""Runs in MLflow: one a pipeline run, one nested in it for every round; each found again by its tags, never doubled."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import register_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag, Metric, Param, ViewType

from genwright import __version__
from genwright.adapters.mlflow.connection import Connection
from genwright.core.durable import exclusive
from genwright.core.errors import ServiceError
from genwright.core.record import dotted
from genwright.core.workspace import Workspace
from genwright.data.records import DatasetVersion
from genwright.evaluation.records import Evaluation, tag
from genwright.models.records import Plan
from genwright.training.records import CurvePoint, Diagnosis, TrainedModel

RECIPE = "recipe.json"  # artifact of a round: the recipe it was trained by


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


class Runs:
    """Experiments and runs of a workspace. Every method raises ServiceError where MLflow does not answer or refuses."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.mlflow = workspace, Connection(workspace)

    def experiment(self, recipe: str) -> str:
        """The id of the recipe's experiment; created on first use, with an absolute artifact location when embedded."""
        with (
            self.mlflow.service(f"opening the experiment {recipe}"),
            exclusive(self.workspace.lock("mlflow"), busy="", wait=True),
        ):
            found = self.mlflow.client.get_experiment_by_name(recipe)
            if found is None:
                place = (self.mlflow.artifacts / recipe).as_uri() if self.mlflow.embedded else None
                return str(self.mlflow.client.create_experiment(recipe, artifact_location=place))
        if found.lifecycle_stage != "active":
            raise ServiceError(f"The MLflow experiment {recipe} is deleted.", do=restore(self.mlflow, found.experiment_id))
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
        with self.mlflow.service("logging a plan"):
            self.mlflow.client.log_batch(run, params=params)
        return run

    def _run(self, recipe: str, tags: dict[str, str], name: str) -> str:
        """The run with those tags (`genwright.why` aside), created where there is none, running again where it had ended."""
        experiment = self.experiment(recipe)
        identity = {key: value for key, value in tags.items() if key != "genwright.why"}
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in identity.items())
        with self.mlflow.service("opening a run"), exclusive(self.workspace.lock("mlflow"), busy="", wait=True):
            found = self.mlflow.client.search_runs([experiment], wanted, ViewType.ACTIVE_ONLY, 1, ["attributes.start_time ASC"])
            if found:
                self.mlflow.client.update_run(found[0].info.run_id, status="RUNNING")
                return str(found[0].info.run_id)
            tags = {**tags, "genwright.version": __version__, "mlflow.source.name": "genwright", "mlflow.source.type": "JOB"}
            return str(self.mlflow.client.create_run(experiment, tags=tags, run_name=name).info.run_id)

    def end_run(self, run: str, status: str = "FINISHED", tags: dict[str, str] | None = None) -> None:
        """Close a run as FINISHED, FAILED or KILLED."""
        with self.mlflow.service("closing a run"):
            for key, value in (tags or {}).items():
                self.mlflow.client.set_tag(run, key, value)
            self.mlflow.client.set_terminated(run, status)

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
            rows += [(f"{tag(name)}{end}", value, step) for end, value in ends.items() if value is not None]
        self._log(run, rows)

    def log_cost(self, run: str, spent: dict[str, float]) -> None:
        """Set what a run cost, as `cost.wall_seconds` and the like; a run that was gone on with has several values."""
        with self.mlflow.service("logging what it cost"):
            now = int(time.time() * 1000)
            self.mlflow.client.log_batch(run, metrics=[Metric(f"cost.{key}", value, now, 0) for key, value in spent.items()])

    def _log(self, run: str, rows: list[tuple[str, float, int]], size: int = 1000) -> None:
        """Time stamps follow from the step, so a repeated row is the same row and MLflow keeps one; a step that is
        already logged under a key stays as it was."""
        with self.mlflow.service("logging measures"):
            began = self.mlflow.client.get_run(run).info.start_time
            logged = {(key, m.step) for key in {r[0] for r in rows} for m in self.mlflow.client.get_metric_history(run, key)}
            metrics = [Metric(key, value, began + step, step) for key, value, step in rows if (key, step) not in logged]
            for start in range(0, len(metrics), size):
                self.mlflow.client.log_batch(run, metrics=metrics[start : start + size])

    def log_dataset(self, run: str, version: DatasetVersion) -> None:
        """Link a run to the data version it learned from."""
        source = DvcSource._resolve(version)
        dataset = MetaDataset(source, name=version.recipe, digest=version.digest)  # type: ignore[abstract]
        with self.mlflow.service("linking the data version"):
            entry = DatasetInput(dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", "training")])
            self.mlflow.client.log_inputs(run, [entry])
            self.mlflow.client.set_tag(run, "genwright.data", version.digest)

    def log_artifact(self, run: str, path: Path, folder: str | None = None) -> None:
        """Keep a file, or what a folder holds, with a run; `folder` is a place within the run's artifacts."""
        with self.mlflow.service(f"storing {path.name}"):
            if path.is_dir():
                self.mlflow.client.log_artifacts(run, str(path), folder)
            else:
                self.mlflow.client.log_artifact(run, str(path), folder)

    def read_text(self, run: str, name: str) -> str | None:
        """A text kept with a run; None where there is none of that name."""
        with self.mlflow.service(f"reading {name}"):
            if name not in [file.path for file in self.mlflow.client.list_artifacts(run)]:
                return None
            with TemporaryDirectory() as folder:
                return Path(self.mlflow.client.download_artifacts(run, name, folder)).read_text()

    def log_text(self, run: str, text: str, name: str) -> None:
        """Keep a text as a file with a run."""
        with self.mlflow.service(f"storing {name}"):
            self.mlflow.client.log_text(run, text, name)


def restore(mlflow: Connection, experiment: str) -> str:
    """The command that brings a deleted experiment back, wherever it is given."""
    where = shlex.quote(mlflow.workspace.mlflow_uri)
    return f"MLFLOW_TRACKING_URI={where} {shlex.quote(sys.executable)} -m mlflow experiments restore -x {experiment}"


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
