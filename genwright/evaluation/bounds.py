"""Absolute bounds on measures, and an evaluation held against them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from genwright.core.errors import GenwrightError
from genwright.core.record import Record
from genwright.core.stored import Stored
from genwright.evaluation.metrics.base import metrics, split
from genwright.evaluation.records import Evaluation, Measured

FINITE = "finite"
"""The gate that what was made are numbers."""


class Bound(Record):
    """An absolute gate on a measure of the test split."""

    at_least: float | None = None
    at_most: float | None = None
    skill: float | None = Field(
        None, le=1, description="share of the way from the naive imitation of these data to real items, at least"
    )

    @model_validator(mode="after")
    def _some(self) -> Bound:
        if self.at_least is None and self.at_most is None and self.skill is None:
            raise ValueError("give `skill`, `at_least` or `at_most`")
        return self

    def limits(self, measured: Measured, better: str) -> list[tuple[float | None, str]]:
        """Every value that is asked for, and how; None where it cannot be said."""
        found: list[tuple[float | None, str]] = [
            (limit, words) for limit, words in ((self.at_least, LEAST), (self.at_most, MOST)) if limit is not None
        ]
        if self.skill is not None:
            naive, real, limit = measured.naive, measured.real, None
            if naive is not None and real is not None and (naive > real if better == "lower" else naive < real):
                limit = naive + self.skill * (real - naive)
            found.append((limit, MOST if better == "lower" else LEAST))
        return found


LEAST, MOST = "at least", "at most"


def _known(bounds: dict[str, Bound]) -> dict[str, Bound]:
    for key, bound in bounds.items():
        try:
            metric = metrics.get(split(key)[0])
        except GenwrightError as error:
            raise ValueError(str(error)) from error
        if bound.skill is not None and not metric.compared:
            others = ", ".join(name for name, one in metrics.all().items() if one.compared)
            raise ValueError(
                f"{key}: nothing naive is known to compare it with, so it has no skill; measures that have: {others}"
            )
    return bounds


Bounds = Annotated[dict[str, Bound], AfterValidator(_known)]
"""MEASURE, or MEASURE@TASK, to its bound."""


class GateVerdict(Stored):
    """One gate: a bound in the recipe, or the comparison with the champion."""

    form = "verdict"

    name: str
    passed: bool
    reason: str
    value: float | None = None
    bound: float | None = None


def absolute(evaluation: Evaluation, bounds: Mapping[str, Bound]) -> list[GateVerdict]:
    """A verdict for every bound, by measure; a measure that could not be taken fails with its reason. What is no result fails
    whatever is asked."""
    faults = [GateVerdict(name=FINITE, passed=False, reason=fault) for fault in evaluation.faults]
    return faults + [verdict for name, bound in bounds.items() for verdict in _bounded(name, bound, evaluation)]


def _bounded(name: str, bound: Bound, evaluation: Evaluation) -> list[GateVerdict]:
    measured = evaluation.measures.get(name)
    if measured is None:
        reason = evaluation.unmeasured.get(name, "it is not among the measures taken of this model")
        return [GateVerdict(name=name, passed=False, reason=f"{name} could not be measured: {reason}")]
    verdicts = []
    for limit, words in bound.limits(measured, metrics.get(split(name)[0]).better):
        if limit is None:
            reason = (
                f"{name} cannot be a gate: on these data it does not tell real items from naive ones; take it out of `accept`"
            )
            verdicts.append(GateVerdict(name=name, passed=False, reason=reason, value=measured.value))
            continue
        sign = 1 if words == LEAST else -1
        passed = sign * measured.value >= sign * limit  # false for NaN
        across = measured.low < limit < measured.high
        doubt = "; with this many items it could be either side" if across else ""
        reason = f"{name} is {measured.words}, {words} {limit:.4g} is asked{doubt}{_told(measured, bound)}"
        verdicts.append(GateVerdict(name=name, passed=passed, reason=reason, value=measured.value, bound=limit))
    return verdicts


def _told(measured: Measured, bound: Bound) -> str:
    """What a bound on skill was made of."""
    if bound.skill is None or measured.naive is None:
        return ""
    real = f"real items {measured.floor:.4g}" if measured.floor is not None else f"perfect is {measured.perfect:.4g}"
    return f" (naive imitations {measured.naive:.4g}, {real})"
