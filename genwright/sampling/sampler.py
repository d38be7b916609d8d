"""The sampler of a model, and drawing many rows with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from genwright.core.doing import telling
from genwright.core.errors import ModelError
from genwright.models.architectures.base import Architecture, Decodes, Denoises, Emits, TokenOptions
from genwright.sampling.base import Ask, Sampler, Tick
from genwright.sampling.denoise import DenoiseSampler
from genwright.sampling.emit import EmitSampler
from genwright.sampling.tokens import TokenSampler

__all__ = ["Ask", "Sampler", "Tick", "draw", "drawn", "sampler"]


def sampler(model: Architecture, slots: int, *, previews: bool = False) -> Sampler:
    """A sampler of that many rows at a time, of the kind that the model's family offers. `previews`: what is denoised tells
    at every step how it looks so far. Raises ModelError when the model makes nothing."""
    if isinstance(model, Decodes):
        return TokenSampler(model, slots)
    if isinstance(model, Denoises):
        return DenoiseSampler(model, slots, previews=previews)
    if isinstance(model, Emits):
        return EmitSampler(model, slots)
    raise ModelError(f"{model.name} draws no samples.", do="use a model that makes something")


def draw(sampler: Sampler, asks: Iterable[Ask]) -> Iterator[tuple[int, Tensor]]:
    """Every row that is asked for, with its place among them, as soon as it is finished; as many at a time as there is room
    for. Raises ModelError at the first that cannot be drawn. Rows that are not waited for are dropped."""
    waiting = iter(asks)
    following = next(waiting, None)
    places: dict[int, int] = {}
    count = 0
    try:
        while following is not None or places:
            # With no row at work there is as much room as there will be: what still does not fit is refused.
            while following is not None and (sampler.need(following) <= sampler.free or not places):
                [slot] = sampler.admit([following])
                places[slot] = count
                following, count = next(waiting, None), count + 1
            for tick in sampler.step():
                if tick.done and tick.slot in places:
                    yield places.pop(tick.slot), sampler.take(tick.slot)
    finally:
        for slot in places:
            sampler.drop(slot)


def drawn(model: Architecture, asks: Sequence[Ask], slots: int) -> Tensor:
    """(n, ...) the rows that are asked for, in order, on the CPU; `slots` at a time, or as many as one of them needs. Raises
    ModelError when one cannot be drawn."""
    needed = (ask.options.beams for ask in asks if isinstance(ask.options, TokenOptions))
    rows = dict(telling("drawing samples", draw(sampler(model, max(slots, *needed, 1)), asks), len(asks)))
    return torch.stack([rows[place] for place in range(len(asks))])
