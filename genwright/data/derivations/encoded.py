"""Columns encoded by a model: a codec's latents, the embedding of a text or picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape
from genwright.data.derivations.base import Derivation, Encoder, State, derivations

LEAST = 1e-4  # of a channel's standard deviation


class EncodedOptions(Record):
    by: str = Field(description="the model: one of the recipe's `models`, or one that is registered")
    column: str = Field("content", description="what of the model's columns is encoded; `content` is what it makes")


@derivations.register
class Encoded(Derivation):
    """The code of a column by a frozen version of a model. Arrays are whitened channel by channel (mean and standard deviation
    of the training items), so that every latent has about unit variance whatever made it; tokens and labels stay."""

    name = "encoded"
    Options: ClassVar[type[Record]] = EncodedOptions
    needs_model = True
    invertible = True
    options: EncodedOptions

    def __init__(self, options: Record, model: Encoder | None = None) -> None:
        super().__init__(options, model)
        self._mean: Tensor | None = None
        self._deviation: Tensor | None = None

    @property
    def encoder(self) -> Encoder:
        """The model. Raises ModelError where it was not given."""
        if self.model is None:
            raise ModelError(f"The model {self.options.by!r} that encodes is not at hand.", do="run the recipe that makes it")
        return self.model

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        codes = self.encoder.codes
        if len(of) != 1 or self.options.column not in codes:
            there = ", ".join(codes) or "nothing"
            raise ModelError(f"{self.options.by} does not encode {self.options.column!r}.", got=len(of), allowed=there)
        return {"": codes[self.options.column]}

    def fit(self, batches: Iterable[Sequence[Tensor]]) -> None:
        total: Tensor | None = None
        square: Tensor | None = None
        count = 0
        for of in batches:
            code = self._code(of[0])
            if not code.is_floating_point():
                return
            flat = code.double().transpose(0, 1).flatten(1)
            total = flat.sum(dim=1) if total is None else total + flat.sum(dim=1)
            square = flat.square().sum(dim=1) if square is None else square + flat.square().sum(dim=1)
            count += flat.shape[1]
        if total is not None and square is not None:
            mean = total / count
            self._mean, self._deviation = (
                mean.float(),
                (square / count - mean.square()).clamp_min(0).sqrt().float().clamp_min(LEAST),
            )

    def state(self) -> State:
        if self._mean is None or self._deviation is None:
            return {}
        return {"mean": self._mean.tolist(), "deviation": self._deviation.tolist()}

    def load(self, state: State) -> None:
        if state:
            self._mean, self._deviation = torch.tensor(state["mean"]), torch.tensor(state["deviation"])

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        code = self._code(of[0])
        if self._mean is None or self._deviation is None:
            return {"": code}
        return {"": (code - self._along(self._mean, code)) / self._along(self._deviation, code)}

    def back(self, value: Tensor) -> Tensor:
        if self._mean is not None and self._deviation is not None:
            value = value * self._along(self._deviation, value) + self._along(self._mean, value)
        with torch.no_grad():
            return self.encoder.decode(self.options.column, value)

    def _code(self, value: Tensor) -> Tensor:
        with torch.no_grad():
            return self.encoder.encode(self.options.column, value)

    def _along(self, numbers: Tensor, code: Tensor) -> Tensor:
        return numbers.to(code).view(1, -1, *([1] * (code.ndim - 2)))
