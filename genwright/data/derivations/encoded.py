"""Columns encoded by a model: a codec's latents, the embedding of a text or picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import DataError, ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal
from genwright.data.derivations.base import Derivation, Encoder, State, derivations

LEAST = 1e-4  # of a channel's standard deviation


class EncodedOptions(Record):
    by: str = Field(description="the model: one of the recipe's `models`")
    column: str = Field("content", description="what of the model's columns is encoded; `content` is what it makes")


@derivations.register
class Encoded(Derivation):
    """The code of a column by a frozen version of a model. Arrays are whitened channel by channel (mean and standard deviation
    of the training items), so that every latent has about unit variance whatever made it; tokens and labels stay."""

    name = "encoded"
    Options: ClassVar[type[Record]] = EncodedOptions
    needs_model = True
    friendly = "reference"
    options: EncodedOptions

    def __init__(self, options: Record, model: Encoder | None = None) -> None:
        super().__init__(options, model)
        self._moments: tuple[Tensor, Tensor] | None = None  # (channels,) each: means and standard deviations

    @property
    def invertible(self) -> bool:
        return self.model is not None and self.options.column in self.model.decodable

    @property
    def encoder(self) -> Encoder:
        """The model. Raises ModelError where it was not given."""
        if self.model is None:
            raise ModelError(f"The model {self.options.by!r} that encodes is not at hand.", do="run the recipe that makes it")
        return self.model

    @property
    def code(self) -> Shape:
        """The shape of a code. Raises ModelError where the model encodes no such column."""
        codes = self.encoder.codes
        if self.options.column not in codes:
            raise ModelError(
                f"{self.options.by} does not encode {self.options.column!r}.",
                got=self.options.column,
                allowed=", ".join(codes) or "nothing",
            )
        found = codes[self.options.column]
        return found.model_copy(update={"bounded": False}) if isinstance(found, Signal) else found

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        if len(of) != 1:
            raise ModelError("encoded is made of one column.", got=len(of))
        return {"": self.code}

    def fit(self, batches: Iterable[Sequence[Tensor]]) -> None:
        shape = self.code
        if not isinstance(shape, Signal):
            return
        count, total, squares = 0, torch.zeros(shape.channels).double(), torch.zeros(shape.channels).double()
        for of in batches:
            flat = self._encoded(of[0]).double().transpose(0, 1).flatten(1).cpu()
            count, total, squares = count + flat.shape[1], total + flat.sum(dim=1), squares + flat.square().sum(dim=1)
        if not count:
            raise DataError(f"No training item has what {self.options.by} should encode.", do="add data that has it")
        if not bool(torch.isfinite(squares).all()):
            raise ModelError(f"{self.options.by} encodes to what is no number.", do="train it again with a lower rate")
        mean = total / count
        self._moments = mean.float(), (squares / count - mean.square()).clamp_min(LEAST**2).sqrt().float()

    def state(self) -> State:
        if self._moments is None:
            return {}
        return dict(zip(("mean", "deviation"), (one.tolist() for one in self._moments), strict=True))

    def load(self, state: State) -> None:
        shape = self.code
        if not isinstance(shape, Signal):
            return
        mean, deviation = (torch.tensor(state.get(key, [])) for key in ("mean", "deviation"))
        whole = len(mean) == len(deviation) == shape.channels
        if not whole or not bool((torch.isfinite(mean) & torch.isfinite(deviation) & (deviation > 0)).all()):
            raise DataError(
                f"What was learned of codes by {self.options.by} does not fit.",
                got=state,
                allowed=f"a mean and a standard deviation above 0 for each of {shape.channels} channels",
                do="derive the column again",
            )
        self._moments = mean, deviation

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        code = self._encoded(of[0])
        if isinstance(self.code, Signal):
            mean, deviation = self._along(code)
            code = (code - mean) / deviation
        return {"": code}

    def back(self, value: Tensor) -> Tensor:
        if isinstance(self.code, Signal):
            mean, deviation = self._along(value)
            value = value * deviation + mean
        with torch.no_grad():
            return self.encoder.decode(self.options.column, value)

    def _encoded(self, value: Tensor) -> Tensor:
        """Codes (n, ...). Raises ModelError where they are not of the shape that was promised."""
        with torch.no_grad():
            code = self.encoder.encode(self.options.column, value)
        shape = self.code
        if isinstance(shape, Signal) and tuple(code.shape[1:]) != shape.dims:
            raise ModelError(
                f"{self.options.by} was made for another size than that of what it should encode.",
                got=f"{tuple(value.shape[1:])}, which gives codes of {tuple(code.shape[1:])}",
                allowed=f"what gives codes of {shape.dims}",
                do="derive a column of the size it was made for by `resized`, and encode that",
            )
        return code

    def _along(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations to be set against codes (n, channels, *axes)."""
        if self._moments is None:
            raise ModelError(
                f"How codes by {self.options.by} are spread was not learned yet.", do="derive the column of the training items"
            )
        mean, deviation = (one.to(code).view(1, -1, *([1] * (code.ndim - 2))) for one in self._moments)
        return mean, deviation
