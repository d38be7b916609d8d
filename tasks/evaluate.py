"""Stage: measure a trained model on the test split."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.evaluation import evaluate as library
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.run import Run
from genwright.tasks.display import doing, say
from genwright.tasks.one_training import Take
from genwright.training.records import TrainedModel


@task(name="evaluate", cache_policy=NO_CACHE)
def evaluate(run: Run, trained: TrainedModel, take: Take) -> Evaluation | None:
    """The evaluation of a round: remembered for these weights, or taken now, in its turn. None for a round that failed."""
    if trained.stopped in ("diverged", "out of memory") and not trained.best_step:
        return None
    name = f"round-{trained.plan.round}-evaluation"
    known = run.recall(name, Evaluation)
    if known is not None and known.model == trained.weights:
        return known
    take()
    folder = run.round(trained.plan) / "bundle"
    samples = run.samples(trained.plan)
    with doing("evaluate"):
        evaluation = library.evaluate(folder, run.dataset, run.member.evaluation, run.settings, samples=samples)
    values = ", ".join(f"{key} {m.value:.4g}" for key, m in evaluation.measures.items())
    say("evaluate", f"on {len(run.dataset.test)} held-out items: {values}")
    return run.keep(name, evaluation)
