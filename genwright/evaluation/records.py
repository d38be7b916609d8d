"""What was measured of a model."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from genwright.core.record import Record
from genwright.core.stored import Stored


class Measured(Record):
    """A measure with its 95 % bootstrap interval over `n` items. `detail` holds what the report shows beside it."""

    value: float
    low: float
    high: float
    n: int
    floor: float | None = Field(None, description="the same measure of real held-out items against real ones, where it has one")
    naive: float | None = Field(None, description="the same measure of the best imitation that learned nothing, or only copies")
    perfect: float | None = Field(None, description="the best value there could be, where real items have none")
    groups: dict[str, float] = Field(
        default_factory=dict,
        description="the measure of those of a class, `label=cat`, and of those given alike, `label+known`",
    )
    detail: dict[str, Any] = Field(default_factory=dict)

    @property
    def finite(self) -> bool:
        """Whether it is a number, with its interval."""
        return all(map(isfinite, (self.value, self.low, self.high)))

    @property
    def skill(self) -> float | None:
        """How far it has come from the naive imitation, 0, to real items, 1 (a skill score: Murphy 1988); None where the
        measure does not tell the two apart."""
        if self.naive is None or self.real is None or self.naive == self.real:
            return None
        return (self.naive - self.value) / (self.naive - self.real)

    @property
    def real(self) -> float | None:
        """What real items score, or where they score nothing, what is perfect."""
        return self.perfect if self.floor is None else self.floor

    @property
    def words(self) -> str:
        """For a person."""
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


class Task(Record):
    """Something a model is asked for: what it makes, given these columns and no others."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    given: list[str]


def _listed(value: Any) -> Any:
    """Tasks as a recipe says them, `NAME: [COLUMN, ...]`, in that order."""
    return [{"name": name, "given": given} for name, given in value.items()] if isinstance(value, dict) else value


TASKS = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}
Tasks = Annotated[list[Task], BeforeValidator(_listed), WithJsonSchema(TASKS)]
"""Tasks in the order in which they count: measures of the first are called by their names alone."""


class EvaluationSpec(Record):
    """How models are measured, the same for all that are compared. How a model samples is its own affair: that is taken from
    its plan."""

    tasks: Tasks = Field(default_factory=list, description="what is asked; none: one task with everything that is given")
    samples: int = Field(ge=1, description="samples drawn, or as many more as a smaller share of the items asks for")
    seed: int = Field(20_000, description="of the samples")


class Evaluation(Stored):
    """A model on the test split. Two evaluations compare only when `evaluation_set` and `code` are equal."""

    form = "evaluation"

    model: str = Field(description="SHA-256 of the weights")
    evaluation_set: str = Field(description="fingerprint of the test items, the number of samples and their seed")
    code: str = Field(description="version of Genwright that measured")
    compared_by: str = Field(description="the measure by which models of this signature are compared")
    measures: dict[str, Measured] = Field(description="those of other tasks than the first are called MEASURE@TASK")
    faults: list[str] = Field(default_factory=list, description="why this is no result, whatever the measures say")
    unmeasured: dict[str, str] = Field(default_factory=dict, description="measure to the reason it could not be taken")
    seconds: float = 0.0


TAG = "test."


def tag(key: str) -> str:
    """What a measure is called among tags and metrics of runs, whose names take no `@`."""
    return TAG + key.replace("@", "/")


def tagged(tags: Mapping[str, Any]) -> dict[str, Any]:
    """The measures among some tags, by key."""
    return {name.removeprefix(TAG).replace("/", "@"): value for name, value in tags.items() if name.startswith(TAG)}
