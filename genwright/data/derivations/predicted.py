"""Labels by a classifier, where it is sure: for items that nobody has labelled (Lee 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Label, Shape, Signal
from genwright.data.derivations.base import Derivation, Encoder, blanked, derivations


class PredictedOptions(Record):
    by: str = Field(description="the model: a classifier among the recipe's `models`")
    column: str = Field("content", description="what the classifier calls the column it looks at")
    sure: float = Field(0.9, ge=0, le=1, description="probability below which an item is given no label")


@derivations.register
class Predicted(Derivation):
    """The likeliest class of each item, absent where it is less likely than `sure`. Its part `sure` is that probability, as a
    vector of one number; all items have it that have what is looked at."""

    name = "predicted"
    Options: ClassVar[type[Record]] = PredictedOptions
    needs_model = True
    options: PredictedOptions

    @property
    def _classifier(self) -> Encoder:
        if self.model is None:
            raise ModelError(f"The model {self.options.by!r} that predicts is not at hand.", do="run the recipe that makes it")
        return self.model

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        if len(of) != 1:
            raise ModelError("predicted is made of one column.", got=len(of))
        codes, column = self._classifier.codes, self.options.column
        scores = codes.get(column)
        if not isinstance(scores, Signal) or scores.axes or scores.channels < 2:
            allowed = ", ".join(codes) or "nothing"
            raise ModelError(f"{self.options.by} tells no classes of {column!r}.", got=column, allowed=allowed)
        return {"": Label(classes=scores.channels), "sure": Signal(channels=1)}

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        with torch.no_grad():
            scores = self._classifier.encode(self.options.column, of[0]).float()
        best = scores.softmax(dim=1).max(dim=1)
        return {"": best.indices, "sure": best.values[:, None]}

    def given(self, of: Sequence[Given], draws: Draws) -> dict[str, Given]:
        found, there = self.derive([of[0].value], draws), of[0].present
        sure = found["sure"][:, 0] >= self.options.sure
        return {"": blanked(found[""], there & sure), "sure": blanked(found["sure"], there)}
