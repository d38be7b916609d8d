"""Stage: the best round becomes a model version."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow.versions import Versions
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.run import Run
from genwright.models.records import ModelVersion
from genwright.tasks.display import say
from genwright.training.records import TrainedModel


@task(name="register", cache_policy=NO_CACHE)
def register(run: Run, trained: TrainedModel, evaluation: Evaluation, mlflow_run: str) -> ModelVersion:
    """The version of these weights: there already, or uploaded and registered now under the recipe's name."""
    version = Versions(run.workspace).register(
        run.recipe.name,
        run.round(trained.plan) / "bundle",
        run=mlflow_run,
        trained=trained,
        evaluation=evaluation,
        recipe=run.recipe,
        pipeline=run.identity,
        licences=run.version.contents.licences,
    )
    say("register", f"{version.name} version {version.version}, weights {version.weights[:12]}, data {version.data[:12]}")
    return version
