"""What to do next, from what was found: which bound was missed by how much, and which key of the recipe bears on it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from genwright.core.record import Record
from genwright.evaluation.bounds import GateVerdict
from genwright.lifecycle.gate import COMPARISON, MEMORY
from genwright.lifecycle.records import Decision, Promoted
from genwright.models.records import ModelVersion
from genwright.recipes.recipe import Recipe
from genwright.training.records import Diagnosis, Round

DROPPED_MUCH = 0.2  # share of dropped items that is worth a look


class Step(Record):
    """One thing to do, in words, with the command for it where there is one."""

    words: str
    command: str | None = None


def next_steps(
    recipe: Recipe, best: Round, version: ModelVersion, decision: Decision, promotion: Promoted, dropped: float
) -> list[Step]:
    """What a person may do now, the likeliest first. `dropped` is the share of the items that cleaning took out."""
    name, number = version.name, version.version
    again = _run(recipe)
    if promotion.what == "waits":
        steps = [
            Step(
                words="Look at the samples; promote the version if they are good.",
                command=f"genwright approve {name}"
                if recipe.promotion.policy == "approval"
                else f"genwright promote {name} {number}",
            )
        ]
    elif promotion.what == "refused":
        steps = [_after(verdict, recipe) for verdict in decision.verdicts if not verdict.passed]
        steps += _cure(best.diagnosis, recipe)
        forced = Step(
            words="If it is good enough for you all the same, promote it by hand; the reason goes into the ledger.",
            command=f"genwright promote {name} {number} --why 'REASON'",
        )
        steps += [Step(words="Then run the recipe again; what has not changed is not done again.", command=again), forced]
    else:
        steps = [
            Step(
                words="Draw new samples; the same seed gives the same files.",
                command=f"genwright generate {name} -n 16 --seed 7 --out samples/",
            ),
            Step(words="When the data changes, run again: the new model must beat this one.", command=again),
        ]
        if promotion.promoted and decision.champion is not None:
            back = f"If version {number} disappoints, go back to version {decision.champion}."
            steps.append(Step(words=back, command=f"genwright rollback {name}"))
    if dropped > DROPPED_MUCH:
        steps.append(
            Step(words=f"Cleaning dropped {dropped:.0%} of the items: see above why, and whether `cleaning` asks too much.")
        )
    return steps


def _after(verdict: GateVerdict, recipe: Recipe) -> Step:
    """What a failed gate says, and the key that set it."""
    if verdict.name == COMPARISON:
        asked = "; `promotion.margin` says how much better it must be" if recipe.promotion.margin else ""
        return Step(words=f"The champion stays: {verdict.reason}. More data or a larger budget may give a better model{asked}.")
    if verdict.name == MEMORY:
        more = "keep the earlier items in the data (`retain: true`), or give it more samples and steps"
        return Step(words=f"{_sentence(verdict.reason)} To remember what it knew, {more}.")
    if verdict.value is None or verdict.bound is None:
        words = f"{_sentence(verdict.reason)} `accept.{verdict.name}` cannot be met without the measure: it may need more data,"
        return Step(words=f"{words} a larger `split.test`, or the line taken out of the recipe.")
    if math.isnan(verdict.value):
        return Step(words=_sentence(verdict.reason))
    side = "at_most" if verdict.value > verdict.bound else "at_least"
    gap = abs(verdict.value - verdict.bound)
    share = f", {gap / abs(verdict.bound):.0%} of it" if verdict.bound else ""
    asked = f"`accept.{verdict.name}.{side}` asks for {verdict.bound:.4g}"
    return Step(words=f"{verdict.name} misses its bound by {gap:.3g}{share}: it is {verdict.value:.4g}, {asked}.")


def _cure(diagnosis: Diagnosis, recipe: Recipe) -> list[Step]:
    """What the finding of the best round suggests to change in the recipe."""
    budget = recipe.train.budget
    unit, amount = ("steps", budget.steps) if budget.steps else ("minutes", budget.minutes)
    longer = f"train.budget.{unit}={2 * (amount or 1):g}"
    larger = f"select.dials=[{', '.join(f'{2 * dial:g}' for dial in recipe.select.dials)}]"
    cures: dict[str, tuple[str, list[str]]] = {
        "under-trained": ("It was still getting better when it stopped: train longer.", [longer]),
        "overfitted": ("It learned the training items, not their kind: add data, or raise `train.weight_decay`.", []),
        "memorised": ("It repeats training items: add data, or lower `train.budget`.", []),
        "collapsed": ("It leaves kinds out: name other families in `select.families`, or lower `train.learning_rate`.", []),
        "diverged": ("Training blew up: lower `train.learning_rate`.", []),
        "out of memory": ("Memory ran out: lower `train.batch_size` or `select.dials`.", []),
        "not good enough": ("No plain fault was found: try a larger model and longer, or more data.", [longer, larger]),
    }
    if diagnosis.finding not in cures:
        return []
    words, changes = cures[diagnosis.finding]
    return [Step(words=words, command=_run(recipe, changes) if changes else None)]


def _run(recipe: Recipe, changes: Sequence[str] = ()) -> str:
    """The command that runs a recipe as it was run, but for what is to be changed."""
    changed = {change.partition("=")[0] for change in changes}
    kept = [one for one in recipe.overrides if one.partition("=")[0] not in changed]
    return shlex.join(["genwright", "run", recipe.name, *(part for one in (*kept, *changes) for part in ("--set", one))])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
