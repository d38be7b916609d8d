"""What a derivation must offer: columns made from other columns. One file each in this room.

A derivation is fixed (a function of the item alone: computed once for a data version and kept) or drawn anew at every step.
What is drawn comes from the row's own `Draws`, so it is a function of (seed, step, row) and of nothing else. Training,
evaluation and generating use the same code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.plugins import Plugins
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal

State = dict[str, list[float]]
"""What a derivation learned from training items, as JSON holds it."""


class Encoder(Protocol):
    """A model that turns columns into codes, as derivations see it."""

    @property
    def decodable(self) -> Collection[str]: ...

    @property
    def codes(self) -> Mapping[str, Shape]: ...

    def encode(self, column: str, value: Tensor) -> Tensor: ...

    def decode(self, column: str, code: Tensor) -> Tensor: ...


class Derivation(ABC):
    """A rule by which columns come about from others. It may give several: the main one, called like the derived column
    (part ``""``), and parts that are called after it (part `mask` of `hidden` is `hidden_mask`)."""

    name: ClassVar[str]
    Options: ClassVar[type[Record]]
    drawn: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False  # `model` is given; the options name it as `by`
    friendly: ClassVar[Literal["image", "sketch", "reference"]] = "image"  # what a person calls it who gives it instead
    hides: ClassVar[bool] = False  # it gives what is left of a column, and the mask of it: see `hide`

    def __init__(self, options: Record, model: Encoder | None = None) -> None:
        self.options, self.model = options, model

    @property
    def invertible(self) -> bool:
        """Whether `back` gives the column it was made of."""
        return False

    @abstractmethod
    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        """The shape of each part, given those it is made of. Raises ModelError naming what it takes."""

    @abstractmethod
    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        """Each part (n, ...) of `n` rows. A row depends on its own values and draws alone."""

    def given(self, of: Sequence[Given], draws: Draws) -> dict[str, Given]:
        """The same, and which rows have each part: those that have all it is made of, unless a derivation knows better."""
        present = torch.stack([one.present for one in of]).all(dim=0)
        return {part: blanked(value, present) for part, value in self.derive([one.value for one in of], draws).items()}

    def unchanged(self, of: Sequence[Given]) -> dict[str, Given] | None:
        """What items are measured as, where that is not what training sees of them; None where it is."""
        return None

    def fit(self, batches: Iterable[Sequence[Tensor]]) -> None:
        """Learn what is needed from the training items' values; streams."""

    def state(self) -> State:
        """What `fit` learned."""
        return {}

    def load(self, state: State) -> None:
        """Take what `state` gave."""

    def back(self, value: Tensor) -> Tensor:
        """The column it was made of, of values (n, ...) of the main part."""
        raise ModelError(f"There is no way back from {self.name}.", do="ask for what it is made of")

    def hide(self, value: Tensor, keep: Tensor) -> dict[str, Tensor]:
        """The parts of values of which `keep` (n, 1, *axes) is 1 where they stay."""
        raise ModelError(f"{self.name} hides nothing.")


def blanked(value: Tensor, present: Tensor) -> Given:
    """Rows of a column, zero where they are absent."""
    there = present.view(-1, *([1] * (value.ndim - 1)))
    return Given(torch.where(there, value, torch.zeros_like(value)), present)


derivations: Plugins[Derivation] = Plugins("derivations", "genwright.data.derivations")


def grid(of: Sequence[Shape], name: str) -> Signal:
    """The only column it is made of, where that is an array over a grid. Raises ModelError."""
    if len(of) == 1 and isinstance(of[0], Signal) and of[0].grid:
        return of[0]
    raise ModelError(f"{name} is made of one array over a grid, such as a picture.", got=", ".join(str(one) for one in of))


def picture(of: Sequence[Shape], name: str) -> Signal:
    """The only column it is made of, where that is a picture. Raises ModelError."""
    found = grid(of, name)
    if not found.picture:
        raise ModelError(f"{name} is made of a picture.", got=found)
    return found
