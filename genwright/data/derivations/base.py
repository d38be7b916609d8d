"""What a derivation must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.plugins import Plugins
from genwright.core.record import Record
from genwright.core.shapes import Shape


class Derivation(ABC):
    name: ClassVar[str]
    Options: ClassVar[type[Record]]
    drawn: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False
    invertible: ClassVar[bool] = False
    hides: ClassVar[bool] = False

    def __init__(self, options: Record, model: Any = None) -> None:
        self.options, self.model = options, model

    @abstractmethod
    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]: ...

    @abstractmethod
    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]: ...

    def back(self, value: Tensor) -> Tensor:
        raise NotImplementedError

    def hide(self, value: Tensor, keep: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError


derivations: Plugins[Derivation] = Plugins("derivations", "genwright.data.derivations")
