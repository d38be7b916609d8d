"""Turning a recipe and a candidate into a plan: minutes become steps here, once."""

from __future__ import annotations

import math
from typing import Any

from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation.metrics.base import ranked
from genwright.models.architectures.base import architectures
from genwright.models.device import choose, fast_bfloat16
from genwright.models.records import Candidate, Plan
from genwright.recipes.members import Member
from genwright.training.records import Selection


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
        evaluate_every=max(1, math.ceil(steps / given.evaluate)),
        patience=given.patience,
        measure=ranked(dataset.signature).name,
        sampling=member.sampling.get(candidate.family, {}),
        samples=min(256, member.samples),
        seed=given.seed,
    )
    return Plan.model_validate(fields)


def first_plan(member: Member, selection: Selection, dataset: Dataset, settings: Settings) -> Plan:
    """The plan of the first round. A budget in minutes becomes steps by the winner's measured seconds a step; later
    rounds may spend what is left of `rounds` such budgets."""
    budget = member.train.budget
    if budget.steps is not None:
        steps = budget.steps
    else:
        assert budget.minutes is not None
        measured = next(e for e in selection.table if e.verdict == "won").seconds_per_step
        assert measured is not None
        steps = max(1, int(budget.minutes * 60 / measured))
    plan = draft(selection.winner, member, dataset, settings, steps)
    return plan.model_copy(update={"steps_left": (member.train.rounds - 1) * steps})
