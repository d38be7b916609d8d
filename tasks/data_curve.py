"""Stage: the model of the best round once more from a part of the items, where the recipe wants to know if more would help."""

from __future__ import annotations

import shutil

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.evaluation import evaluate as library
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import Measured
from genwright.lifecycle.run import Run
from genwright.tasks.cross_validate import anew
from genwright.tasks.display import doing, say
from genwright.tasks.one_training import Take
from genwright.tasks.train import followed
from genwright.training.data_curve import SHARES, DataCurve, LearnedFrom
from genwright.training.fit import CHECKPOINTS, Fit
from genwright.training.records import Round

CURVE = "data-curve"  # the record of a run


@task(name="data curve", cache_policy=NO_CACHE)
def data_curve(run: Run, best: Round, take: Take) -> DataCurve | None:
    """The curve: remembered for these weights, or found by training now, in its turn. None where the recipe does not ask for
    it, or where what compares models cannot be measured."""
    assert best.model is not None
    assert best.evaluation is not None
    measure = best.evaluation.compared_by
    whole = best.evaluation.measures.get(measure)
    if not run.recipe.data_curve or whole is None:
        return None
    known = run.recall(CURVE, DataCurve)
    if known is not None and known.model == best.model.weights:
        return known
    points = [point for share in SHARES if (point := _point(run, best, share, measure, take)) is not None]
    if not points:
        say("curve", "of fewer items nothing was learned that can be measured")
        return None
    points.append(LearnedFrom(items=len(run.dataset.train), measured=whole))
    better = metrics.get(measure).better
    found = run.keep(CURVE, DataCurve(model=best.model.weights, measure=measure, better=better, points=points))
    say("curve", found.words)
    return found


def _point(run: Run, best: Round, share: float, measure: str, take: Take) -> LearnedFrom | None:
    """What comes of a share of the items, with as many steps; None where that is nothing."""
    assert best.model is not None
    part, plan = run.dataset.part(share), anew(best.model.plan, None)
    plan = plan.model_copy(update={"batch_size": min(plan.batch_size, part.train.units)})
    fit = Fit(part, plan, run.folder / f"share-{share:g}", run.settings, data=run.version.digest, uses=run.uses)
    if not fit.finished:
        take()
        followed(run, fit, "curve", f"{plan.candidate.title} from {len(part.train):,} items")
    shutil.rmtree(fit.folder / CHECKPOINTS, ignore_errors=True)
    if not fit.result.best_step:
        return None
    with doing("curve"):
        spec = run.member.evaluation
        told = library.evaluate(fit.folder / "bundle", run.dataset, spec, run.settings, only={measure}).measures.get(measure)
    return LearnedFrom(items=len(part.train), measured=told) if isinstance(told, Measured) else None
