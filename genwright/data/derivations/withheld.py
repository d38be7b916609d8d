"""A column as though fewer items had it: to try what a model would be worth with less of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape
from genwright.data.derivations.base import Derivation, blanked, derivations


class WithheldOptions(Record):
    share: float = Field(gt=0, lt=1, description="of the items that lose it")


@derivations.register
class Withheld(Derivation):
    """The column, lacking in a share of the items, always in the same ones."""

    name = "withheld"
    Options: ClassVar[type[Record]] = WithheldOptions
    options: WithheldOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        if len(of) != 1:
            raise ModelError("withheld is made of one column.", got=len(of))
        return {"": of[0]}

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        return {"": of[0]}

    def given(self, of: Sequence[Given], draws: Draws) -> dict[str, Given]:
        left = draws.uniform(1)[:, 0].to(of[0].value.device) >= self.options.share
        return {"": blanked(of[0].value, of[0].present & left)}
