"""Stage: ask a person, where the recipe wants one to decide."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.runtime import deployment

from genwright.adapters.mlflow.registry import Registry
from genwright.core.span import span
from genwright.lifecycle.records import Approval, Decision
from genwright.lifecycle.run import Run
from genwright.models.records import ModelVersion
from genwright.tasks.display import say

POLL = timedelta(seconds=5)


class Answer(RunInput):
    """What the form on Prefect's page and `genwright approve` and `reject` send."""

    decision: Literal["approve", "reject"]
    why: str
    who: str = "someone on the Prefect page"


def approve(run: Run, version: ModelVersion, decision: Decision) -> Approval | None:
    """What a person said of a version that passed the gate; None where nobody is to be asked, or nobody can be: a run that
    no deployment started has no page, so the version waits for `genwright approve`. Not a task: only a flow may pause."""
    registry = Registry(run.workspace)
    champion = registry.champion(version.name)
    if run.recipe.promotion.policy != "approval" or not decision.promote:
        return None
    if champion is not None and champion.weights == version.weights:
        return None
    said = registry.ledger(version.name).answered(version.version)
    if said is not None:
        return Approval(approved=False, who=said.who, why=said.why)
    registry.ask(version, decision)
    if deployment.id is None:
        return None
    return _ask(run, version, decision)


def _ask(run: Run, version: ModelVersion, decision: Decision) -> Approval:
    words = run.recipe.promotion.timeout
    say("approve", f"{version.name} version {version.version} waits up to {words} for `genwright approve {version.name}`")
    report = f"Report: `{run.folder / 'report.html'}`" if (run.folder / "report.html").is_file() else ""
    question = f"# Promote {version.name} version {version.version}?\n\n{decision.reason}\n\n{report}"
    form = Answer.with_initial_data(description=question)
    try:
        answer = pause_flow_run(
            wait_for_input=form,
            timeout=int(span(words).total_seconds()),
            poll_interval=int(POLL.total_seconds()),
            key=f"approve-{version.version}",
        )
    except FlowPauseTimeout:
        return Approval(approved=False, who="genwright", why=f"nobody answered within {words}")
    return Approval(approved=answer.decision == "approve", who=answer.who, why=answer.why)
