"""Stage: move the champion, by the recipe's policy."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow import Registry
from genwright.records import Decision, ModelVersion, Promoted
from genwright.run import Run
from tasks.display import say


@task(name="promote", cache_policy=NO_CACHE)
def promote(run: Run, version: ModelVersion, decision: Decision) -> Promoted:
    """What became of the version. Raises ServiceError when another promotion came between decision and move."""
    registry, name = Registry(run.workspace), version.name
    if decision.champion == version.version:
        return Promoted(promoted=False, champion=version.version, reason=f"Version {version.version} is champion already.")
    if not decision.promote:
        if not any(e.what == "refused" and e.after == version.version for e in registry.ledger(name).entries()):
            registry.refuse(name, version.version, decision.reason, decision)
        say("promote", decision.reason)
        return Promoted(promoted=False, champion=decision.champion, reason=decision.reason)
    if run.recipe.promotion.policy == "manual":
        reason = f"It may be promoted: `genwright promote {name} {version.version}`."
        say("promote", reason)
        return Promoted(promoted=False, champion=decision.champion, reason=reason)
    registry.move_alias(version, expected=decision.champion, why=decision.reason, decision=decision)
    say("promote", f"{name} version {version.version} is champion now")
    return Promoted(promoted=True, champion=version.version, reason=decision.reason)
