"""Bounds on measures, as recipes set them."""

from __future__ import annotations

from pydantic import model_validator

from genwright.core.record import Record


class Bound(Record):
    """An absolute gate on a measure of the test split."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _some(self) -> Bound:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give `at_least` or `at_most`")
        return self
