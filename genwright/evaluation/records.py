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


class Evaluation(Stored):
    """A model on the test split. Two evaluations compare only when `evaluation_set` and `code` are equal."""

    form = "evaluation"

    model: str = Field(description="SHA-256 of the weights")
    evaluation_set: str = Field(description="fingerprint of the test items, sample count, sampling options and seed")
    code: str = Field(description="version of Genwright that measured")
    measures: dict[str, Measured]
    unmeasured: dict[str, str] = Field(default_factory=dict, description="measure to the reason it could not be taken")
    seconds: float = 0.0
