"""Stage: for small data, the same model trained without each other part of the items, and all of them judged together."""

from __future__ import annotations

import shutil
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.core.durable import replacing
from genwright.core.errors import TrainingError
from genwright.data.dataset import Dataset
from genwright.evaluation import evaluate as library
from genwright.evaluation.crossed import pooled
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.run import Run
from genwright.models import bundle
from genwright.models.records import Plan
from genwright.models.reencode import as_read_by
from genwright.tasks.display import doing, say
from genwright.tasks.one_training import Take
from genwright.tasks.train import followed
from genwright.training.fit import CHECKPOINTS, Fit
from genwright.training.records import Round, TrainedModel


@task(name="cross-validate", cache_policy=NO_CACHE)
def cross_validate(run: Run, best: Round, take: Take) -> Round:
    """The round with the evaluation of all models in place of its own; what `Run.bundle` names holds them. The round itself
    where the recipe does not ask for it. Raises TrainingError where one of them comes to nothing."""
    assert best.model is not None
    assert best.evaluation is not None
    plan, folds = best.model.plan, run.recipe.split.folds
    if folds == 1:
        return best
    evaluations, made = [best.evaluation], {0: run.round(plan) / "bundle"}
    for fold, cleaned in list(enumerate(run.folds))[1:]:
        dataset, base = cleaned, None if run.base is None else bundle.fold(run.base.folder, fold)
        if base is not None and base.is_dir():
            dataset = as_read_by(base, cleaned, run.part(fold) / "dataset")
        else:
            base = None
        trained = _trained(run, anew(plan, base), fold, dataset, base, take)
        made[fold] = run.round(plan, fold) / "bundle"
        evaluations.append(_evaluation(run, trained, fold, dataset, take))
    _put_together(made, run.bundle(plan))
    evaluation = pooled(evaluations)
    named = evaluation.measures.get(evaluation.compared_by)
    if named is not None:
        told = f"{folds} models on {named.n} items, none of which its own has seen"
        say("cross", f"{evaluation.compared_by} of {told}: {named.words}")
    return best.model_copy(update={"evaluation": evaluation})


def anew(plan: Plan, base: Path | None) -> Plan:
    """The plan of a round from its beginning: from the weights of the champion that has not seen this part either, or from
    random ones."""
    start = None if base is None or plan.candidate.start is None else bundle.verify(base)[bundle.WEIGHTS]
    return plan.model_copy(update={"begins": 0, "candidate": plan.candidate.model_copy(update={"start": start})})


def _trained(run: Run, plan: Plan, fold: int, dataset: Dataset, base: Path | None, take: Take) -> TrainedModel:
    fit = Fit(dataset, plan, run.round(plan, fold), run.settings, data=run.version.digest, base=base, uses=run.uses)
    if not fit.finished:
        take()
        followed(run, fit, "cross", f"{plan.candidate.title} without part {fold + 1} of {run.recipe.split.folds}")
    shutil.rmtree(fit.folder / CHECKPOINTS, ignore_errors=True)
    if not fit.result.best_step:
        raise TrainingError(
            f"Without part {fold + 1} of the items this gave no model.",
            got=fit.result.stopped,
            do="lower `train.learning_rate`",
        )
    return fit.result


def _evaluation(run: Run, trained: TrainedModel, fold: int, dataset: Dataset, take: Take) -> Evaluation:
    name = f"fold-{fold}-evaluation"
    known = run.recall(name, Evaluation)
    if known is not None and known.model == trained.weights:
        return known
    take()
    with doing("cross"):
        bundle_folder = run.round(trained.plan, fold) / "bundle"
        return run.keep(name, library.evaluate(bundle_folder, dataset, run.member.evaluation, run.settings))


def _put_together(made: dict[int, Path], out: Path) -> None:
    """The registered model's bundle with those of the other parts under `folds/`."""
    hashes = {fold: bundle.verify(folder)[bundle.WEIGHTS] for fold, folder in made.items()}
    if bundle.verified(out) and all(bundle.verify(bundle.fold(out, fold))[bundle.WEIGHTS] == h for fold, h in hashes.items()):
        return
    with replacing(out) as beside:
        for fold, folder in made.items():
            shutil.copytree(folder, bundle.fold(beside, fold), dirs_exist_ok=True)
        bundle.seal(beside)
