"""Turning a recipe and a candidate into a plan: minutes become steps here, once."""

from __future__ import annotations

from typing import Any

from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation.metrics.base import ranked
from genwright.models.architectures.base import architectures
from genwright.models.device import choose, fast_bfloat16
from genwright.models.records import Candidate, Plan
from genwright.recipes.members import Member
from genwright.training import saving
from genwright.training.held_out import cadence, loss_price
from genwright.training.records import RaceEntry, Selection

LEAST_DECAY = 0.25  # share of the steps over which the rate of a round that goes on from the race falls, at least


def draft(candidate: Candidate, member: Member, dataset: Dataset, settings: Settings, steps: int) -> Plan:
    """A plan of `steps` steps: the family's own settings, replaced by what the recipe says."""
    fields: dict[str, Any] = {"learning_rate": 1e-3, **architectures.get(candidate.family).defaults}
    given = member.train
    for name in ("learning_rate", "optimizer", "weight_decay", "average", "precision"):
        if getattr(given, name) is not None:
            fields[name] = getattr(given, name)
    if given.precision is None and not fast_bfloat16(choose(settings)):
        fields["precision"] = "float32"
    fields.update(
        candidate=candidate,
        steps=steps,
        batch_size=candidate.batch_size,
        warmup=min(100, steps // 10),
        evaluate_every=steps,
        patience=given.patience,
        measure=ranked(dataset.signature.asked(member.first)).name,
        asked=member.first,
        sampling=member.sampling.get(candidate.family, {}),
        samples=min(256, member.samples),
        seed=given.seed,
    )
    return Plan.model_validate(fields)


def trial(candidate: Candidate, member: Member, dataset: Dataset, settings: Settings, steps: int) -> Plan:
    """The plan of a racer. It may be stopped at any heat, so its rate does not fall towards an end, and it is measured at
    the ends of heats only."""
    plan = draft(candidate, member, dataset, settings, steps)
    return plan.model_copy(update={"decay": 0.0, "evaluate_every": steps + 1, "patience": 0})


def first_plan(member: Member, selection: Selection, dataset: Dataset, settings: Settings) -> Plan:
    """The plan of the first round. A budget in minutes becomes steps by the winner's measured times; later rounds may spend
    what is left of `rounds` such budgets.

    The round goes on from the winner's end of the race: its steps are the round's first ones, at the same rates, so the
    warm-up is the race's, and the decay begins no earlier than the race ended. Where that would leave too little of it,
    the round begins anew.
    """
    won = next(e for e in selection.table if e.verdict == "won")
    steps = _steps(member, won, selection.winner.batch_size)
    plan = draft(selection.winner, member, dataset, settings, steps)
    plan = plan.model_copy(
        update={
            "steps_left": (member.train.rounds - 1) * steps,
            "measure_price": won.measure_price,
            "compiled": won.compiled,
        }
    )
    raced = won.goes_on_at
    if 0 < raced <= (1 - LEAST_DECAY) * steps:
        warmup = trial(selection.winner, member, dataset, settings, raced).warmup
        decay = min(plan.decay, 1 - raced / steps)
        plan = plan.model_copy(update={"begins": raced, "warmup": warmup, "decay": decay})
    return evaluated(plan, member)


def evaluated(plan: Plan, member: Member) -> Plan:
    """The plan with held-out losses and measures as often as the recipe wants, where they keep within their share."""
    every, measures = cadence(plan.steps - plan.begins, plan.batch_size, member.train.evaluate, plan.measure_price)
    return plan.model_copy(update={"evaluate_every": every, "measure_every": measures})


def _steps(member: Member, won: RaceEntry, batch_size: int) -> int:
    """Steps of a round, those of the race among them; of minutes what evaluation and checkpoints take is set aside."""
    budget = member.train.budget
    if budget.steps is not None:
        return budget.steps
    assert budget.minutes is not None
    assert won.seconds_per_step is not None
    whole = steps = budget.minutes * 60 / won.seconds_per_step / (1 + saving.SHARE)
    for _ in range(3):  # fewer steps are evaluated less often
        every, measures = cadence(max(1, int(steps)), batch_size, member.train.evaluate, won.measure_price)
        steps = max(1.0, whole - steps / every * loss_price(batch_size) - steps / measures * won.measure_price)
    return int(steps)
