"""What one column lacks, taken from another: labels by hand, and a classifier's where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape
from genwright.data.derivations.base import Derivation, blanked, derivations


class FilledOptions(Record):
    pass


@derivations.register
class Filled(Derivation):
    """The first of several columns that a row has; it lacks the column only where it lacks all of them."""

    name = "filled"
    Options: ClassVar[type[Record]] = FilledOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        if len(of) < 2 or any(shape != of[0] for shape in of):
            told = "; ".join(str(shape) for shape in of)
            raise ModelError("filled is made of two or more columns of the same shape.", got=told)
        return {"": of[0]}

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        return {"": of[0]}

    def given(self, of: Sequence[Given], draws: Draws) -> dict[str, Given]:
        value, present = of[0].value, of[0].present
        for other in of[1:]:
            there = present.view(-1, *([1] * (value.ndim - 1)))
            value, present = torch.where(there, value, other.value), present | other.present
        return {"": blanked(value, present)}
