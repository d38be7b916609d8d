"""Which side of the split an item is on: a function of the item alone."""

from __future__ import annotations

from typing import cast

from pydantic import Field, model_validator

from genwright.core.record import Record
from genwright.data.records import Side

LEARN = "learn"
"""What a source says of an item that may be trained on or chosen by: it held out items to test on alone."""


class Splitting(Record):
    """Shares of the items held out, by content hash: an item never moves when data grows."""

    validation: float = Field(0.1, gt=0, lt=0.5)
    test: float = Field(0.1, gt=0, lt=0.5)
    folds: int = Field(
        1,
        ge=1,
        le=10,
        description="above 1: cross-validation, for small data. The chosen model is trained so many times, each time without "
        "another such part of the items, and judged by what all of them make of what they have not seen. It takes the place "
        "of `test`",
    )

    @model_validator(mode="after")
    def _once(self) -> Splitting:
        if self.folds > 1 and self.test != type(self).model_fields["test"].default:
            raise ValueError(f"`folds: {self.folds}` holds out a part in {self.folds} to test on: leave `test` out")
        return self

    def side(self, place: str, fold: int = 0, given: str = "") -> Side:
        """Where the hash of its content or group (`Item.place`) puts an item when the part `fold` is held out; 0 is the only
        one without folds, and with folds that of the model that is registered. `given` is what its source says
        (`Item.given_side`), which counts where there are no folds."""
        if given and self.folds == 1:
            return self._given(place, given)
        test = self.test if self.folds == 1 else 1 / self.folds
        at = (int(place[:16], 16) / 2**64 + fold / self.folds) % 1.0
        if at < test:
            return "test"
        return "validation" if at < test + self.validation else "train"

    def _given(self, place: str, given: str) -> Side:
        if given == LEARN:
            return "validation" if int(place[:16], 16) / 2**64 < self.validation else "train"
        return cast(Side, given)
