"""A model, a data set and a side of it, brought together to be measured; samples are drawn once and shared by all measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.errors import NotFinite
from genwright.core.shapes import Label, Signature
from genwright.data.columns import Integers
from genwright.data.dataset import Dataset
from genwright.data.feed import Side
from genwright.data.modalities.base import Modality
from genwright.evaluation.groups import Places, by_class, by_presence
from genwright.evaluation.memo import Memo
from genwright.models.architectures.base import Architecture, SampleOptions
from genwright.models.bundle import column_of
from genwright.sampling.sampler import Ask

T = TypeVar("T")


@dataclass
class Evaluand:
    """`held` is the side measured against; `count` how many samples are drawn, `seed` from which seed.

    Samples are asked for like the data: classes in equal shares where a label is all that is given, else what the held-out
    items were given (repeated in order). `draw` gives a sample for each that is asked for; `model` is None where several
    models make it together. `task` names what is asked, "" for the first; `signature` has the columns that it gives, others
    are absent. `share` is how much of what the model is to know the held-out items are: 1, or less
    where they are those of earlier, smaller data. `judges` are models that relate columns and have no part in making.
    """

    signature: Signature
    dataset: Dataset
    held: str
    count: int
    seed: int
    options: SampleOptions
    draw: Callable[[Sequence[Ask]], Tensor]
    model: Architecture | None = None
    judges: Mapping[str, Architecture] = field(default_factory=dict)
    device: str = "cpu"
    share: float = 1.0
    task: str = ""
    memo: Memo | None = None
    _known: dict[str, Any] = field(default_factory=dict, init=False)

    @property
    def data(self) -> Memo:
        """What is known of the data whatever the model; shared by those that were given one `memo`."""
        if self.memo is None:
            self.memo = Memo(self.dataset)
        return self.memo

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` gives of this model at this task, made the first time a measure asks for it."""
        if key not in self._known:
            self._known[key] = make()
        found: T = self._known[key]
        return found

    @property
    def held_out(self) -> Side:
        return self.dataset.side(self.held)

    @property
    def reference(self) -> Side:
        """Real items that say what real items score on the held-out ones: of the validation side where it is another, since
        what is learned from training items flatters these."""
        return self.dataset.validation if self.held == "test" else self.dataset.train

    @cached_property
    def content(self) -> Modality:
        """How what is made is read and written."""
        view = self.dataset.view
        assert view.makes is not None
        found = column_of(view.makes, view, self.dataset.modalities, self.signature.makes)
        assert found is not None
        return found

    @property
    def label(self) -> str | None:
        """The label that is given; None where there is none, or more than one."""
        return self.signature.one(Label)

    def recorded_label(self, name: str | None) -> str | None:
        """The label of the items where a label is that one, or derived from it; None for any other."""
        label = self.dataset.contents.label
        if name is None or label is None:
            return None
        return label if name == label or label in self.dataset.view.origins(name) else None

    @cached_property
    def given(self) -> dict[str, Given]:
        """What each of the `count` samples is given."""
        if self.by_label:
            assert self.label is not None
            shape = self.signature.given[self.label].shape
            assert isinstance(shape, Label)
            return {self.label: Given.all(torch.arange(self.count) % shape.classes)}
        return self.given_of(self.rows) if self.signature.given else {}

    @property
    def by_label(self) -> bool:
        """Whether samples are asked for by a label alone: then by each in turn, else like a held-out item each."""
        return len(self.signature.given) == 1 and self.label is not None

    @property
    def rows(self) -> Integers:
        """(count,) the held-out item of each sample, where it is asked for like one."""
        chosen = self.held_out.subset(self.count)
        return chosen[np.arange(self.count) % max(1, len(chosen))]

    def given_of(self, rows: Integers) -> dict[str, Given]:
        """What is given of these held-out items."""
        table = self.held_out.table(rows)
        return {name: table[name] for name in self.signature.given}

    def groups(self, rows: Integers | None = None) -> dict[str, Places]:
        """Samples, or held-out items, that are alike: of a class, or with the same columns among those that are given."""
        if rows is None:
            present = {name: given.present.numpy() for name, given in self.given.items()}
            label = self.label
            given = None if label is None else self.given[label]
        else:
            present = {name: self._present(name, rows) for name in self.signature.given}
            label = self.label or self.dataset.contents.label
            given = None if label is None else self.held_out.table(rows)[label]
        found = by_presence(present)
        if label is None or given is None:
            return found
        column = self.dataset.contents.columns.get(self.recorded_label(label) or label)
        names = (column.labels if column is not None else None) or []
        return found | by_class(label, given.value.numpy(), given.present.numpy(), names)

    def _present(self, name: str, rows: Integers) -> NDArray[np.bool_]:
        """Which held-out items have a column; a derived one is there where all are that it is made of."""
        side = self.held_out
        if name in side.columns:
            return side.columns[name].present(rows)
        there: NDArray[np.bool_] = np.logical_and.reduce([self._present(of, rows) for of in side.made[name].of])
        return there

    @cached_property
    def asks(self) -> list[Ask]:
        """One a sample."""
        return [
            Ask(
                (self.seed, place),
                self.options,
                {name: given.value[place] for name, given in self.given.items() if bool(given.present[place])},
            )
            for place in range(self.count)
        ]

    @property
    def samples(self) -> Tensor:
        """(count, ...) samples of the model, the same for the same seed. Raises NotFinite where one is no result."""
        found = self.once("samples", self._drawn)
        if isinstance(found, NotFinite):
            raise found
        return found

    def _drawn(self) -> Tensor | NotFinite:
        try:
            return self.draw(self.asks)
        except NotFinite as error:
            return error

    @property
    def drawn(self) -> bool:
        """Whether a measure has asked for the samples, and got them."""
        return isinstance(self._known.get("samples"), Tensor)
