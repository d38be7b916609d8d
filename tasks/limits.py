"""Before time is spent: may the recipe spend it?"""

from __future__ import annotations

from genwright.lifecycle.run import Run
from genwright.lifecycle.spending import LimitError, allow
from genwright.models import bundle
from genwright.models.records import Plan
from genwright.tasks.display import say
from genwright.tasks.one_training import Take
from genwright.tasks.select import race_of
from genwright.training import held_out, saving
from genwright.training.records import Selection

BESIDE = 1 + held_out.SHARE + saving.SHARE  # what a second of training takes with evaluation and checkpoints


def afford_race(run: Run, take: Take) -> None:
    """Takes its turn and raises LimitError where the race of this run and a round, if it has not been held, would go beyond
    the limits. What budgets in steps will take is timed for this, where there are limits."""
    if run.recall("selection", Selection) is not None:
        return
    take()
    select, train, limits = run.member.select.budget, run.member.train.budget, run.recipe.limits
    allow(run.recipe, run.workspace, (select.minutes or 0.0) + (train.minutes or 0.0), run.identity)
    limited = limits.minutes_per_run is not None or limits.minutes_per_week is not None
    if limited and (select.steps is not None or train.steps is not None):
        allow(run.recipe, run.workspace, race_of(run).minutes(), run.identity)


def afford(run: Run, plan: Plan, selection: Selection) -> bool:
    """Whether there is time for a round. The first one that is beyond the limits raises LimitError; of a later one it is
    said, and the rounds before it count."""
    if bundle.verified(run.round(plan) / "bundle"):
        return True
    step = next((e.seconds_per_step for e in selection.table if e.verdict == "won"), None) or 0.0
    dearer = plan.candidate.cost.flops_per_item / max(1.0, selection.winner.cost.flops_per_item)
    steps = plan.steps - plan.begins + (run.recipe.split.folds - 1) * plan.steps
    try:
        allow(run.recipe, run.workspace, steps * step * dearer * BESIDE / 60, run.identity)
    except LimitError as error:
        if plan.round == 1:
            raise
        say("afford", f"there is no round {plan.round}: {error.what}")
        return False
    return True
