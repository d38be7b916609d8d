"""Bookkeeping in MLflow: one parent run a pipeline run, a nested run for every round with its reason."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow.runs import RECIPE, Runs
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.records import Outcome
from genwright.lifecycle.run import Run
from genwright.lifecycle.spending import of_run
from genwright.training.records import Diagnosis, Round, TrainedModel


@task(name="open run", cache_policy=NO_CACHE)
def open_run(run: Run) -> str:
    """The parent run of this pipeline run, linked to its data version; the same one after a crash."""
    run.begin()
    runs = Runs(run.workspace)
    parent = runs.parent_run(run.recipe.name, run.identity, run.recipe.description)
    runs.log_dataset(parent, run.version)
    return parent


@task(name="record round", cache_policy=NO_CACHE)
def record_round(run: Run, parent: str, trained: TrainedModel, evaluation: Evaluation | None, diagnosis: Diagnosis) -> Round:
    """A round as MLflow run under the parent, with plan, curve, measures and finding; logged once."""
    name = f"round-{trained.plan.round}-record"
    known = run.recall(name, Round)
    if known is not None and known.model == trained and known.evaluation == evaluation and known.diagnosis == diagnosis:
        return known
    runs = Runs(run.workspace)
    nested = runs.round_run(run.recipe.name, parent, trained.plan)
    runs.log_text(nested, run.recipe.model_dump_json(indent=2), RECIPE)
    runs.end_round(nested, trained, evaluation, diagnosis)
    return run.keep(name, Round(model=trained, evaluation=evaluation, diagnosis=diagnosis, mlflow_run=nested))


@task(name="close run", cache_policy=NO_CACHE)
def end(run: Run, parent: str, outcome: Outcome) -> None:
    """Close the parent run with the verdict and what it cost."""
    runs = Runs(run.workspace)
    spent = of_run(run.workspace, run.recipe.name, run.identity)
    runs.log_cost(parent, spent.model_dump(exclude={"recipe", "began", "identity"}, exclude_none=True))
    tags = {"genwright.verdict": outcome.verdict, "genwright.version": str(outcome.version)}
    runs.end_run(parent, "FINISHED", tags)
