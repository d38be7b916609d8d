"""The gate: is a challenger good enough, and is it better than the champion?

Absolute gates are the bounds in the recipe's `accept`, held against the measured value. The comparison uses the measure
that selects families on this kind of content; the challenger must be better in value, by the recipe's margin where there
is one. The two are measured on the same items and seed, so a difference within their intervals may still be real; it is
said, and does not decide. Where the champion was made on an earlier data version, both are also measured on what was
held out then: a challenger that has surely become worse there has forgotten, and is refused. A distance between all
samples and all items also grows when new kinds are learned, so there the share of old items that samples reach is asked.
"""

from __future__ import annotations

import math

from genwright.evaluation.bounds import GateVerdict, absolute
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.records import Decision
from genwright.recipes.recipe import Recipe

COMPARISON = "better than the champion"
MEMORY = "nothing forgotten"
FORGOTTEN = 0.1  # by how much worse on earlier items, as a share of the champion's measure, counts


def judge(
    challenger: Evaluation,
    champion: Evaluation | None,
    recipe: Recipe,
    *,
    champion_version: int | None = None,
    memory: GateVerdict | None = None,
    retired: str | None = None,
) -> Decision:
    """Whether to promote. `champion` is None only when there is none: one that cannot be read is an error of the caller.
    `memory` is the verdict on the earlier evaluation set, where there is another; `retired` is why the champion has to go,
    so that the challenger need not be better."""
    verdicts = absolute(challenger, recipe.accept)
    failed = [v for v in verdicts if not v.passed]
    if champion is None:
        reason = "It passes its gates and there is no champion yet." if not failed else _failed(failed)
        return Decision(promote=not failed, verdicts=verdicts, reason=reason)
    if champion.model == challenger.model:
        reason = "The champion has the same weights; there is nothing to promote."
        return Decision(
            promote=False, verdicts=verdicts, champion=champion_version, champion_evaluation=champion, reason=reason
        )
    comparison = compare(challenger, champion, recipe)
    if retired is not None:
        comparison = comparison.model_copy(update={"passed": True, "reason": f"not asked of it, since {retired}"})
    verdicts = [*verdicts, comparison, *([memory] if memory and retired is None else [])]
    failed = [v for v in verdicts if not v.passed]
    won = "is better than the champion" if retired is None else "takes the champion's place"
    return Decision(
        promote=not failed,
        verdicts=verdicts,
        champion=champion_version,
        champion_evaluation=champion,
        reason=_failed(failed) if failed else f"It passes its gates and {won}: {retired or comparison.reason}",
    )


def compare(challenger: Evaluation, champion: Evaluation, recipe: Recipe) -> GateVerdict:
    """The challenger against the champion on the measure of the content. Refused where they are not comparable."""
    for field, words in (("evaluation_set", "on other test items or samples"), ("code", "by another release of Genwright")):
        if getattr(challenger, field) != getattr(champion, field):
            return GateVerdict(name=COMPARISON, passed=False, reason=f"the champion was measured {words}: they do not compare")
    name = challenger.compared_by
    new, old = challenger.measures.get(name), champion.measures.get(name)
    if new is None or old is None:
        who, evaluation = ("challenger", challenger) if new is None else ("champion", champion)
        reason = evaluation.unmeasured.get(name, "it was not taken")
        return GateVerdict(name=COMPARISON, passed=False, reason=f"{name} of the {who} could not be measured: {reason}")
    lower = metrics.get(name).better == "lower"
    gain = old.value - new.value if lower else new.value - old.value
    needed = recipe.promotion.margin * abs(old.value)
    better = not math.isnan(gain) and gain > 0 and gain >= needed
    overlap = new.low <= old.high and old.low <= new.high
    reason = f"{name} ({'lower' if lower else 'higher'} is better) is {new.words}, the champion's is {old.words}"
    if better:
        reason += "; the intervals overlap, so the gain may be chance" if overlap else "; the intervals do not overlap"
    else:
        reason += f"; a gain of {needed:.4g} is asked" if needed and gain > 0 else "; that is no gain"
    bound = old.value - needed if lower else old.value + needed
    return GateVerdict(name=COMPARISON, passed=better, reason=reason, value=new.value, bound=bound)


def memory_of(measure: str) -> str:
    """The measure that shows on earlier items whether a model still knows them, where `measure` compares models."""
    return metrics.get(measure).memory or measure


def remembers(challenger: Evaluation, champion: Evaluation) -> GateVerdict:
    """Whether the challenger still does on the earlier held-out items what the champion does: it fails where it is surely
    worse by more than FORGOTTEN."""
    name = memory_of(challenger.compared_by)
    new, old = challenger.measures.get(name), champion.measures.get(name)
    if new is None or old is None:
        reason = (challenger if new is None else champion).unmeasured.get(name, "it was not taken")
        return GateVerdict(
            name=MEMORY, passed=False, reason=f"{name} on the earlier test items could not be measured: {reason}"
        )
    slack = FORGOTTEN * abs(old.value)
    if metrics.get(name).better == "lower":
        worse = new.low > max(old.high, old.value + slack)
    else:
        worse = new.high < min(old.low, old.value - slack)
    reason = f"on the test items of the champion's own data {name} is {new.words}, the champion's is {old.words}"
    reason += "; it has forgotten some of it" if worse else "; that is not surely worse"
    return GateVerdict(name=MEMORY, passed=not worse, reason=reason, value=new.value, bound=old.high)


def _failed(verdicts: list[GateVerdict]) -> str:
    return "It is not promoted: " + "; ".join(v.reason for v in verdicts) + "."
