"""Samples made of a latent in one go (GANs, VAEs)."""

from __future__ import annotations

import torch
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.models.architectures.base import Architecture, EmitOptions, Emits
from genwright.sampling.base import Ask, Sampler, Seats, Tick


class EmitSampler(Sampler):
    """Every row is finished after one step."""

    Options = EmitOptions

    def __init__(self, model: Architecture, slots: int) -> None:
        super().__init__(model, slots)
        assert isinstance(model, Emits)
        self._emits: Emits = model
        self._latents = torch.zeros(slots, *self._emits.latent.dims, device=self.device)
        self._given = Seats(slots)
        self._made: dict[int, Tensor] = {}

    def _check(self, ask: Ask) -> None:
        super()._check(ask)
        if ask.start is not None or ask.keep is not None:
            raise ModelError(
                f"{self.model.name} makes a sample in one go, so it can neither begin from one nor keep parts of it.",
                do="leave them out, or use a version of family diffusion",
            )

    def _begin(self, slots: list[int], ask: Ask) -> None:
        assert isinstance(ask.options, EmitOptions)
        [slot] = slots
        self._latents[slot] = ask.options.temperature * Draws([ask.key], self.device).normal(*self._emits.latent.dims)[0]
        self._given.put(slot, self._read(ask.given))

    def _advance(self, running: list[int]) -> list[Tick]:
        made = self._emits.emit(self._latents, self._given.given).cpu()
        self._made |= {slot: made[slot].clone() for slot in running}
        return [Tick(slot, done=True) for slot in running]

    def _result(self, slot: int) -> Tensor:
        return self._made[slot]

    def _leave(self, slots: list[int]) -> None:
        self._made.pop(slots[0], None)
