"""Stage: does one model of several meet its own bounds?"""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.core.errors import TrainingError
from genwright.evaluation.bounds import absolute
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.run import Run
from genwright.tasks.display import say


@task(name="stand", cache_policy=NO_CACHE)
def stand(run: Run, evaluation: Evaluation) -> None:
    """Raises TrainingError for a model that misses a bound of its own: nothing is made over it, and nothing changes."""
    verdicts = absolute(evaluation, run.member.accept)
    for verdict in verdicts:
        say(run.member.key, f"{'passed' if verdict.passed else 'failed'}: {verdict.reason}")
    failed = [verdict.reason for verdict in verdicts if not verdict.passed]
    if failed:
        raise TrainingError(
            f"{run.name} does not meet its own bounds, so nothing is made over it.",
            got="; ".join(failed),
            do=f"train it longer (`models.{run.member.key}.train`), or lower `models.{run.member.key}.accept`",
        )
