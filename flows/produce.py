"""The main flow: a recipe goes in, a promoted model comes out.

collect -> clean -> (derive -> base -> select -> (train -> evaluate -> diagnose)* -> cross-validate -> data curve -> register)*
-> compose -> gate -> approve -> promote -> report

The part in brackets is done for every model of the recipe; where there is but one, there is nothing to compose. Only a recipe
whose `split` has `folds` cross-validates, and only one that asks for it has a data curve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from prefect import flow

from genwright.core.errors import TrainingError
from genwright.core.workspace import Settings, Workspace
from genwright.data.records import DatasetVersion
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.records import Outcome
from genwright.lifecycle.run import Run
from genwright.lifecycle.spending import Meter, metered
from genwright.models.device import prepare
from genwright.models.records import ModelVersion, Plan, Used
from genwright.recipes.members import Member
from genwright.recipes.recipe import Recipe
from genwright.tasks.approve import approve
from genwright.tasks.clean import clean, restore
from genwright.tasks.collect import collect
from genwright.tasks.compose import compose
from genwright.tasks.cross_validate import cross_validate
from genwright.tasks.data_curve import data_curve
from genwright.tasks.derive import derive
from genwright.tasks.diagnose import diagnose
from genwright.tasks.evaluate import evaluate
from genwright.tasks.events import announce
from genwright.tasks.gate import gate
from genwright.tasks.limits import afford, afford_race
from genwright.tasks.mlflow_runs import end, open_run, record_round
from genwright.tasks.one_training import Take, turn
from genwright.tasks.promote import promote
from genwright.tasks.register import register, register_composition
from genwright.tasks.report import report
from genwright.tasks.select import select
from genwright.tasks.stand import stand
from genwright.tasks.starting_point import base, unchanged
from genwright.tasks.train import tidy, train
from genwright.tasks.use import use
from genwright.training.plan import first_plan
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
    standing = unchanged(recipe, workspace, version) if going_on else None
    if standing is not None:
        return standing
    made: list[Made] = []
    pins: dict[str, Used] = {}
    for member in recipe.members:
        if member.use is not None:
            pins[member.key] = use(member.use, workspace)
            continue
        uses = {key: pins[key] for key in member.needs if key in pins}
        made.append(_make(recipe, member, workspace, settings, version, uses, going_on, meter))
        pins[member.key] = made[-1].used
    last = made[-1]
    done = last if recipe.whole is None else _compose(last, pins)
    run, whole = done.run, None if done is last else done.evaluation
    decision = gate(run, done.version, done.evaluation)
    with meter.resting():
        answer = approve(run, done.version, decision)
    promotion = promote(run, done.version, decision, answer)
    outcome = report(run, last.selection, last.rounds, last.best, done.version, decision, promotion, whole)
    outcome = outcome.model_copy(update={"steps_trained": sum(one.run.steps_trained for one in made)})
    meter.note()
    end(run, done.parent, outcome)
    announce(outcome)
    return outcome


@dataclass(frozen=True)
class Made:
    """One model of a recipe, trained and registered; or all of them together, with the last one's selection and rounds."""

    run: Run
    parent: str  # MLflow's run
    selection: Selection
    rounds: list[Round]
    best: Round
    version: ModelVersion
    evaluation: Evaluation

    @property
    def used(self) -> Used:
        """This version, pinned."""
        return Used(model=self.version.name, version=self.version.version, weights=self.version.weights)


def _make(
    recipe: Recipe,
    member: Member,
    workspace: Workspace,
    settings: Settings,
    version: DatasetVersion,
    uses: dict[str, Used],
    going_on: bool,
    meter: Meter,
) -> Made:
    """One model of the recipe, over the versions it uses. Raises TrainingError when it misses its own bounds."""
    derive(recipe, member, workspace, uses)
    origin = base(recipe, member, workspace, version) if going_on else None
    run = Run(recipe, member, version, workspace, settings, origin, uses)
    meter.identity = run.identity
    parent = open_run(run)
    with turn(workspace, meter) as take:
        selection, rounds = _rounds(run, parent, take)
        best = cross_validate(run, best_round(rounds), take)
        data_curve(run, best, take)
    assert best.model is not None
    assert best.evaluation is not None
    assert best.mlflow_run is not None
    registered = register(run, best.model, best.evaluation, best.mlflow_run)
    if member.key:
        stand(run, best.evaluation)
    rounds = [best if one.model == best.model else one for one in rounds]
    return Made(run, parent, selection, rounds, best, registered, best.evaluation)


def _compose(last: Made, pins: dict[str, Used]) -> Made:
    """What the models make together: a version of its own, which pins theirs."""
    recipe, before = last.run.recipe, last.run
    assert recipe.whole is not None
    run = Run(recipe, recipe.whole, before.version, before.workspace, before.settings, None, pins)
    parent = open_run(run)
    evaluation = compose(run)
    version = register_composition(run, evaluation, parent)
    return replace(last, run=run, parent=parent, version=version, evaluation=evaluation)


def _rounds(run: Run, parent: str, take: Take) -> tuple[Selection, list[Round]]:
    """Select, then train, evaluate and diagnose until the diagnosis asks for no further round, or time is used up."""
    afford_race(run, take)
    selection = select(run)
    rounds: list[Round] = []
    plan: Plan | None = first_plan(run.member, selection, run.dataset, run.settings)
    while plan is not None and afford(run, plan, selection):
        trained = train(run, plan, take)
        evaluation = evaluate(run, trained, take)
        diagnosis = diagnose(run, trained, evaluation)
        rounds.append(record_round(run, parent, trained, evaluation, diagnosis))
        plan = diagnosis.next_plan
    tidy(run)
    return selection, rounds


def best_round(rounds: list[Round]) -> Round:
    """The round that passed its gates, else the best by the measure that compares families; the later of equals.

    Raises TrainingError when no round gave a model.
    """
    evaluated = [(n, r, r.evaluation) for n, r in enumerate(rounds, 1) if r.evaluation is not None and not r.evaluation.faults]
    if not evaluated:
        findings = "; ".join(f"round {n}: {r.diagnosis.finding} ({r.diagnosis.evidence})" for n, r in enumerate(rounds, 1))
        raise TrainingError("No round gave a model.", got=findings, do="lower `train.learning_rate` or `select.dials`")

    def rank(entry: tuple[int, Round, Evaluation]) -> tuple[bool, float, int]:
        place, judged, evaluation = entry
        measured = evaluation.measures.get(evaluation.compared_by)  # missing where there are too few held-out items
        sign = -1.0 if metrics.get(evaluation.compared_by).better == "lower" else 1.0
        return judged.diagnosis.finding == "good", -inf if measured is None else sign * measured.value, place

    return max(evaluated, key=rank)[1]
