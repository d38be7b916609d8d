"""Stage: one round of training."""

from __future__ import annotations

import shutil

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow.versions import Versions
from genwright.lifecycle.run import Run
from genwright.models.records import Plan
from genwright.tasks.display import Bar, Doing, bars, say
from genwright.tasks.interrupts import interruptible
from genwright.tasks.one_training import Take
from genwright.tasks.select import RACE, origin_of
from genwright.training import shown
from genwright.training.fit import CHECKPOINTS, Fit
from genwright.training.records import TrainedModel


@task(name="train", cache_policy=NO_CACHE)
def train(run: Run, plan: Plan, take: Take) -> TrainedModel:
    """The trained model of a round: there already, or trained from its last checkpoint on, in its turn."""
    base = run.base.folder if run.base else None
    origin = origin_of(run, plan)
    data, folder = run.version.digest, run.round(plan)
    fit = Fit(run.dataset, plan, folder, run.settings, data=data, base=base, origin=origin, uses=run.uses)
    if fit.finished:
        say("train", f"round {plan.round} ({plan.why}) was trained before; its weights verify")
        return fit.result
    take()
    fit.seen = shown.seen(run.dataset, Versions(run.workspace).folders(run.uses))
    epochs = plan.batch_size / run.dataset.train.units
    length = f"{plan.steps} steps, {plan.steps * epochs:.1f} epochs" + (f", from step {plan.begins} on" if plan.begins else "")
    say("train", f"round {plan.round}: {plan.candidate.title}, {length} ({plan.why})")
    followed(run, fit, "train", f"round {plan.round} {plan.candidate.title}")
    for note in fit.notes:
        say("train", note)
    trained = fit.result
    say("train", f"round {plan.round} ended ({trained.stopped}) after {trained.steps_done} steps")
    if trained.best_step:
        say("train", f"kept: the weights of step {trained.best_step}; {trained.kept}")
    return trained


def followed(run: Run, fit: Fit, stage: str, title: str) -> None:
    """Train to the end, with a bar that says how far it is."""
    plan, epochs = fit.plan, fit.plan.batch_size / fit.dataset.train.units
    with bars() as progress:
        bar = Bar(progress, stage, title, plan.steps, epochs)
        with Doing(progress, stage) as doing:
            for point in interruptible(fit):
                doing.rest()
                bar.advance(point, plan.measure)
                run.steps_trained += 1


def tidy(run: Run) -> None:
    """Remove what a round could have gone on from, once no further one is wanted."""
    for folder in (run.folder / RACE, *run.folder.glob(f"round-*/{CHECKPOINTS}")):
        shutil.rmtree(folder, ignore_errors=True)
