"""Stage: what went wrong in a round, and what the next one changes."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.evaluation.records import Evaluation
from genwright.lifecycle.run import Run
from genwright.tasks.display import say
from genwright.training import diagnose as library
from genwright.training.records import Diagnosis, TrainedModel


@task(name="diagnose", cache_policy=NO_CACHE)
def diagnose(run: Run, trained: TrainedModel, evaluation: Evaluation | None) -> Diagnosis:
    """The finding, and the next round's plan where one is worth trying."""
    found = library.diagnose(trained, evaluation, run.member, run.dataset)
    say("diagnose", f"{found.finding}: {found.evidence}" + (f"; next: {found.change}" if found.next_plan else ""))
    return found
