"""Stage: the best round becomes a model version."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow.versions import Versions
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.run import COMPOSITION, Run
from genwright.models.records import ModelVersion, VersionFacts
from genwright.tasks.display import say
from genwright.training.records import TrainedModel


@task(name="register", cache_policy=NO_CACHE)
def register(run: Run, trained: TrainedModel, evaluation: Evaluation, mlflow_run: str) -> ModelVersion:
    """The version of these weights: there already, or uploaded and registered now."""
    facts = VersionFacts(
        weights=trained.weights,
        data=trained.data,
        recipe=run.member.told if run.member.key else run.recipe.identity,
        title=trained.plan.candidate.title,
        start=trained.plan.candidate.start or "",
        uses=run.uses,
        pipeline=run.identity,
        licences=sorted(run.version.contents.licences),
        description=run.recipe.description,
    )
    return _registered(run, run.bundle(trained.plan), mlflow_run, facts, evaluation)


@task(name="register composition", cache_policy=NO_CACHE)
def register_composition(run: Run, evaluation: Evaluation, mlflow_run: str) -> ModelVersion:
    """The version of a composition, which pins those of its members."""
    facts = VersionFacts(
        weights=evaluation.model,
        data=run.version.digest,
        recipe=run.recipe.identity,
        title=" + ".join(run.uses),
        uses=run.uses,
        pipeline=run.identity,
        licences=sorted(run.version.contents.licences),
        description=run.recipe.description,
    )
    return _registered(run, run.folder / COMPOSITION, mlflow_run, facts, evaluation)


def _registered(run: Run, folder: Path, mlflow_run: str, facts: VersionFacts, evaluation: Evaluation) -> ModelVersion:
    version = Versions(run.workspace).register(run.name, folder, run=mlflow_run, facts=facts, evaluation=evaluation)
    say("register", f"{version.name} version {version.version}, weights {version.weights[:12]}, data {version.data[:12]}")
    return version
