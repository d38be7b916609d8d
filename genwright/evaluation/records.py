"""What was measured of a model."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from genwright.core.record import Record
from genwright.core.stored import Stored


class Measured(Record):
    """A measure with its 95 % bootstrap interval over `n` items. `detail` holds what the report shows beside it."""

    value: float
    low: float
    high: float
    n: int
    floor: float | None = Field(None, description="the same measure of real held-out items against real ones, where it has one")
    detail: dict[str, Any] = Field(default_factory=dict)

    @property
    def words(self) -> str:
        """For a person."""
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


class EvaluationSpec(Record):
    """How models are measured, the same for all that are compared. How a model samples is its own affair: that is taken from
    its plan."""

    samples: int = Field(ge=1, description="samples drawn, or as many more as a smaller share of the items asks for")
    seed: int = Field(20_000, description="of the samples")


class Evaluation(Stored):
    """A model on the test split. Two evaluations compare only when `evaluation_set` and `code` are equal."""

    form = "evaluation"

    model: str = Field(description="SHA-256 of the weights")
    evaluation_set: str = Field(description="fingerprint of the test items, the number of samples and their seed")
    code: str = Field(description="version of Genwright that measured")
    compared_by: str = Field(description="the measure by which models of this signature are compared")
    measures: dict[str, Measured]
    unmeasured: dict[str, str] = Field(default_factory=dict, description="measure to the reason it could not be taken")
    seconds: float = 0.0
