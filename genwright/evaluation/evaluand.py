"""A model, a data set and a side of it, brought together to be measured; samples are drawn once and shared by all measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.shapes import Label, Signature
from genwright.data.dataset import Dataset
from genwright.data.feed import Side
from genwright.data.modalities.base import Modality
from genwright.models.architectures.base import Architecture, SampleOptions
from genwright.models.bundle import column_of
from genwright.sampling.sampler import Ask


@dataclass
class Evaluand:
    """`held` is the side measured against; `count` how many samples are drawn, `seed` from which seed.

    Samples are asked for like the data: classes in equal shares where a label is all that is given, else what the held-out
    items were given (repeated in order). `draw` gives a sample for each that is asked for; `model` is None where several
    models make it together. `share` is how much of what the model is to know the held-out items are: 1, or less
    where they are those of earlier, smaller data.
    """

    signature: Signature
    dataset: Dataset
    held: str
    count: int
    seed: int
    options: SampleOptions
    draw: Callable[[Sequence[Ask]], Tensor]
    model: Architecture | None = None
    device: str = "cpu"
    share: float = 1.0

    @property
    def held_out(self) -> Side:
        return self.dataset.side(self.held)

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

    @cached_property
    def given(self) -> dict[str, Given]:
        """What each of the `count` samples is given."""
        ports = self.signature.given
        if len(ports) == 1 and self.label is not None:
            shape = ports[self.label].shape
            assert isinstance(shape, Label)
            return {self.label: Given.all(torch.arange(self.count) % shape.classes)}
        return self.held_out.given(np.arange(self.count) % max(1, len(self.held_out))) if ports else {}

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

    @cached_property
    def samples(self) -> Tensor:
        """(count, ...) samples of the model, the same for the same seed."""
        return self.draw(self.asks)
