"""The main flow: a recipe goes in, a promoted model comes out.

collect -> clean -> base -> select -> (train -> evaluate -> diagnose)* -> register -> gate -> approve -> promote -> report
"""

from __future__ import annotations

from math import inf

from prefect import flow

from genwright.core.errors import TrainingError
from genwright.core.workspace import Settings, Workspace
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.records import Outcome
from genwright.lifecycle.run import Run
from genwright.lifecycle.spending import Meter, metered
from genwright.models.device import prepare
from genwright.models.records import Plan
from genwright.recipes.recipe import Recipe
from genwright.tasks.approve import approve
from genwright.tasks.clean import clean, restore
from genwright.tasks.collect import collect
from genwright.tasks.diagnose import diagnose
from genwright.tasks.evaluate import evaluate
from genwright.tasks.events import announce
from genwright.tasks.gate import gate
from genwright.tasks.limits import afford, afford_race
from genwright.tasks.mlflow_runs import end, open_run, record_round
from genwright.tasks.one_training import turn
from genwright.tasks.promote import promote
from genwright.tasks.register import register
from genwright.tasks.report import report
from genwright.tasks.select import select
from genwright.tasks.starting_point import base, unchanged
from genwright.tasks.train import tidy, train
from genwright.training.plan import first_plan, measure_of
from genwright.training.records import Round, Selection


@flow(name="genwright", flow_run_name="{recipe.name}", validate_parameters=False)
def produce(
    recipe: Recipe, workspace: Workspace, settings: Settings, data: str | None = None, going_on: bool = False
) -> Outcome:
    """Run the whole recipe. `data` names an old data version to train on instead of collecting anew; `going_on` lets the
    champion's weights race against random ones, instead of every family against every other."""
    with metered(recipe.name, workspace, gpu=prepare(settings).type == "cuda") as meter:
        return _produce(recipe, workspace, settings, data, going_on, meter)


def _produce(
    recipe: Recipe, workspace: Workspace, settings: Settings, data: str | None, going_on: bool, meter: Meter
) -> Outcome:
    if data is None:
        collect(recipe, workspace)
        version = clean(recipe, workspace)
    else:
        version = restore(recipe, workspace, data)
    origin = base(recipe, workspace, version) if going_on else None
    standing = unchanged(recipe, workspace, version, origin)
    if standing is not None:
        return standing
    run = Run(recipe, version, workspace, settings, origin)
    meter.identity = run.identity
    parent = open_run(run)
    with turn(workspace, meter):
        selection, rounds = _rounds(run, parent)
    best = best_round(rounds, recipe)
    assert best.model is not None
    assert best.evaluation is not None
    assert best.mlflow_run is not None
    registered = register(run, best.model, best.evaluation, best.mlflow_run)
    decision = gate(run, registered, best.evaluation)
    with meter.resting():
        answer = approve(run, registered, decision)
    promotion = promote(run, registered, decision, answer)
    outcome = report(run, selection, rounds, best, registered, decision, promotion)
    meter.note()
    end(run, parent, outcome)
    announce(outcome)
    return outcome


def _rounds(run: Run, parent: str) -> tuple[Selection, list[Round]]:
    """Select, then train, evaluate and diagnose until the diagnosis asks for no further round, or time is used up."""
    afford_race(run)
    selection = select(run)
    rounds: list[Round] = []
    plan: Plan | None = first_plan(run.recipe, selection, run.dataset, run.settings)
    while plan is not None and afford(run, plan, selection):
        trained = train(run, plan)
        evaluation = evaluate(run, trained)
        diagnosis = diagnose(run, trained, evaluation)
        rounds.append(record_round(run, parent, trained, evaluation, diagnosis))
        plan = diagnosis.next_plan
    tidy(run)
    return selection, rounds


def best_round(rounds: list[Round], recipe: Recipe) -> Round:
    """The round that passed its gates, else the best by the measure that compares families; the later of equals.

    Raises TrainingError when no round gave a model.
    """
    name = measure_of(recipe)
    sign = -1.0 if metrics.get(name).better == "lower" else 1.0
    evaluated = [(place, r, r.evaluation) for place, r in enumerate(rounds, 1) if r.evaluation is not None]
    if not evaluated:
        findings = "; ".join(f"round {n}: {r.diagnosis.finding} ({r.diagnosis.evidence})" for n, r in enumerate(rounds, 1))
        raise TrainingError("No round gave a model.", got=findings, do="lower `train.learning_rate` or `select.dials`")

    def rank(entry: tuple[int, Round, Evaluation]) -> tuple[bool, float, int]:
        place, judged, evaluation = entry
        measured = evaluation.measures.get(name)  # missing where there are too few held-out items
        return judged.diagnosis.finding == "good", -inf if measured is None else sign * measured.value, place

    return max(evaluated, key=rank)[1]
