"""Stage: the alias moves, or stays, and the ledger says why."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow.lineage import untainted
from genwright.adapters.mlflow.registry import Registry
from genwright.lifecycle import promotion as library
from genwright.lifecycle.records import Approval, Decision, Promoted
from genwright.lifecycle.run import Run
from genwright.models.records import ModelVersion
from genwright.tasks.display import say


@task(name="promote", cache_policy=NO_CACHE)
def promote(run: Run, version: ModelVersion, decision: Decision, answer: Approval | None = None) -> Promoted:
    """Promote, refuse, or wait for a person, as decision, policy and answer say."""
    registry = Registry(run.workspace)
    outcome = _outcome(run, registry, version, decision, answer)
    for old in registry.prune(version.name, run.recipe.promotion.keep):
        say("promote", f"{old.name} version {old.version} was removed: only the newest {run.recipe.promotion.keep} are kept")
    say("promote", f"{version.name} version {version.version} {outcome.what}: {outcome.reason}")
    return outcome


def _outcome(run: Run, registry: Registry, version: ModelVersion, decision: Decision, answer: Approval | None) -> Promoted:
    name, number = version.name, version.version
    champion = registry.champion(name)
    held = champion.version if champion else None
    if champion is not None and champion.weights == version.weights:
        registry.settle(name)
        return Promoted(what="champion already", version=number, champion=held, reason=f"version {held} has these weights")
    if not decision.promote:
        registry.refuse(version, decision.reason, decision)
        return Promoted(what="refused", version=number, champion=held, reason=decision.reason)
    if answer is not None and not answer.approved:
        registry.reject(version, answer.why, answer.who)
        reason = f"{answer.who} did not approve it: {answer.why}"
        return Promoted(what="refused", version=number, champion=held, reason=reason)
    rollback, policy = registry.ledger(name).withdrawn(number), run.recipe.promotion.policy
    if answer is None and (policy != "automatic" or rollback is not None):
        reason = f"it was rolled back ({rollback.why})" if rollback else "the recipe leaves promotion to a person"
        command = f"genwright approve {name}" if policy == "approval" else f"genwright promote {name} {number}"
        return Promoted(what="waits", version=number, champion=held, reason=f"{reason}; `{command}` promotes it")
    why = f"{answer.why} ({decision.reason})" if answer else decision.reason
    who = answer.who if answer else None
    library.promote(registry, version, [untainted(registry)], expected=decision.champion, why=why, decision=decision, who=who)
    return Promoted(what="promoted", version=number, champion=number, reason=why)
