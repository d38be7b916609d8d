"""Absolute bounds on measures, and an evaluation held against them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, model_validator

from genwright.core.errors import GenwrightError
from genwright.core.record import Record
from genwright.core.stored import Stored
from genwright.evaluation.metrics.base import metrics, split
from genwright.evaluation.records import Evaluation


class Bound(Record):
    """An absolute gate on a measure of the test split."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _some(self) -> Bound:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give `at_least` or `at_most`")
        return self


def _known(bounds: dict[str, Bound]) -> dict[str, Bound]:
    for key in bounds:
        try:
            metrics.get(split(key)[0])
        except GenwrightError as error:
            raise ValueError(str(error)) from error
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
    """A verdict for every bound, by measure; a measure that could not be taken fails with its reason."""
    return [verdict for name, bound in bounds.items() for verdict in _bounded(name, bound, evaluation)]


def _bounded(name: str, bound: Bound, evaluation: Evaluation) -> list[GateVerdict]:
    measured = evaluation.measures.get(name)
    if measured is None:
        reason = evaluation.unmeasured.get(name, "it is not among the measures taken of this model")
        return [GateVerdict(name=name, passed=False, reason=f"{name} could not be measured: {reason}")]
    verdicts = []
    for limit, sign, words in ((bound.at_least, 1, "at least"), (bound.at_most, -1, "at most")):
        if limit is None:
            continue
        passed = sign * measured.value >= sign * limit  # false for NaN
        across = measured.low < limit < measured.high
        doubt = "; with this many items it could be either side" if across else ""
        reason = f"{name} is {measured.words}, {words} {limit:.4g} is asked{doubt}"
        verdicts.append(GateVerdict(name=name, passed=passed, reason=reason, value=measured.value, bound=limit))
    return verdicts
