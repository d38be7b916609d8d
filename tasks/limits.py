"""Before time is spent: may the recipe spend it?"""

from __future__ import annotations

from genwright.lifecycle.run import Run
from genwright.lifecycle.spending import LimitError, allow
from genwright.models import bundle
from genwright.models.records import Plan
from genwright.tasks.display import say
from genwright.training.records import Selection


def afford_race(run: Run) -> None:
    """Raises LimitError where the race of this run, if it has not been held, would go beyond the limits."""
    if run.recall("selection", Selection) is None:
        budget = run.member.select.budget.minutes or 0.0
        allow(run.recipe, run.workspace, budget + (run.member.train.budget.minutes or 0.0), run.identity)


def afford(run: Run, plan: Plan, selection: Selection) -> bool:
    """Whether there is time for a round. The first one that is beyond the limits raises LimitError; of a later one it is
    said, and the rounds before it count."""
    if bundle.verified(run.round(plan) / "bundle"):
        return True
    measured = next((e.seconds_per_step for e in selection.table if e.verdict == "won"), None)
    try:
        allow(run.recipe, run.workspace, plan.steps * (measured or 0.0) / 60, run.identity)
    except LimitError as error:
        if plan.round == 1:
            raise
        say("afford", f"there is no round {plan.round}: {error.what}")
        return False
    return True
