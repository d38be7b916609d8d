"""Stage: the alias moves, or stays, and the ledger says why."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow import Registry
from genwright.records import Decision, ModelVersion, Promoted
from genwright.run import Run
from tasks.display import say


@task(name="promote", cache_policy=NO_CACHE)
def promote(run: Run, version: ModelVersion, decision: Decision) -> Promoted:
    """Promote, refuse, or wait for a person, as decision and policy say."""
    registry = Registry(run.workspace)
    outcome = _outcome(run, registry, version, decision)
    say("promote", f"{version.name} version {version.version} {outcome.what}: {outcome.reason}")
    return outcome


def _outcome(run: Run, registry: Registry, version: ModelVersion, decision: Decision) -> Promoted:
    name, number = version.name, version.version
    champion = registry.champion(name)
    held = champion.version if champion else None
    if champion is not None and champion.weights == version.weights:
        registry.settle(name)
        return Promoted(what="champion already", version=number, champion=held, reason=f"version {held} has these weights")
    if not decision.promote:
        registry.refuse(version, decision.reason, decision)
        return Promoted(what="refused", version=number, champion=held, reason=decision.reason)
    rollback = registry.ledger(name).withdrawn(number)
    if run.recipe.promotion.policy == "manual" or rollback is not None:
        reason = f"it was rolled back ({rollback.why})" if rollback else "the recipe leaves promotion to a person"
        reason += f"; `genwright promote {name} {number}` promotes it"
        return Promoted(what="waits", version=number, champion=held, reason=reason)
    registry.promote(version, expected=decision.champion, why=decision.reason, decision=decision)
    return Promoted(what="promoted", version=number, champion=number, reason=decision.reason)
