"""A part of an array hidden: what is left, and where."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape
from genwright.data.derivations.base import Derivation, derivations, grid

BOXES = 3  # at most
STROKES, SEGMENTS = 3, 8  # of a brush, and what each is made of
SAMPLE = 2048  # places at most by which the share that is hidden is set

Kind = Literal["box", "strokes", "half"]
Share = Annotated[float, Field(gt=0, lt=1)]


class MaskedOptions(Record):
    kinds: list[Kind] = Field(
        ["box", "strokes", "half"],
        min_length=1,
        description="what is hidden, one a row; one named twice is taken twice as often",
    )
    share: tuple[Share, Share] = Field((0.1, 0.6), description="of the places that are hidden: drawn evenly from least to most")

    @model_validator(mode="after")
    def _ordered(self) -> MaskedOptions:
        if self.share[0] > self.share[1]:
            raise ValueError(f"share is [least, most], not {list(self.share)}")
        return self


@derivations.register
class Masked(Derivation):
    """Random boxes, brush strokes or half planes are hidden (Yu et al. 2019): zero there. The part `mask` is 1 where the array
    is left, 0 where it is hidden. Along one axis these are gaps and continuations.

    What is hidden grows from the row's own forms until it is the share that was drawn: a place has a rank, by which it is
    reached, and the lowest ranks are hidden."""

    name = "masked"
    Options: ClassVar[type[Record]] = MaskedOptions
    drawn = True
    hides = True
    options: MaskedOptions

    def shapes(self, of: Sequence[Shape]) -> dict[str, Shape]:
        shape = grid(of, self.name)
        if math.prod(shape.axes) < 2:
            raise ModelError("Of a single place no part can be hidden.", got=shape.axes)
        return {"": shape, "mask": shape.model_copy(update={"channels": 1, "bounded": True})}

    def derive(self, of: Sequence[Tensor], draws: Draws) -> dict[str, Tensor]:
        value, kinds = of[0], self.options.kinds
        axes = tuple(value.shape[2:])
        places = _places(axes, value.device)
        least, most = self.options.share
        chosen, share = draws.integers(len(kinds)), least + (most - least) * draws.uniform()
        keep = value.new_ones(len(value), 1, *axes)
        for number, kind in enumerate(kinds):
            rank, size = RANKS[kind]
            own = draws.uniform(size, len(axes))  # of every row, so that each draws the same whatever the others are
            rows = (chosen == number).nonzero()[:, 0]
            if len(rows):
                keep[rows, 0] = (~_lowest(rank(own[rows], places), share[rows])).to(value)
        return self.hide(value, keep)

    def hide(self, value: Tensor, keep: Tensor) -> dict[str, Tensor]:
        return {"": value * keep, "mask": keep}


def _places(axes: tuple[int, ...], device: torch.device) -> list[Tensor]:
    """Coordinates along each axis, (1, ..., length, ..., 1), in units of the longest axis."""
    found = []
    for axis, length in enumerate(axes):
        shape = [1] * (len(axes) + 1)
        shape[axis + 1] = length
        found.append((torch.arange(length, device=device).view(shape) + 0.5) / max(axes))
    return found


def _lowest(rank: Tensor, share: Tensor) -> Tensor:
    """Which places of ranks (n, *axes) are the lowest share (n,) of a row: one at least and not all."""
    step = math.ceil((rank[0].numel() / SAMPLE) ** (1 / (rank.ndim - 1)))
    sample = rank[(slice(None), *(slice(min(step, length) // 2, None, step) for length in rank.shape[1:]))].flatten(1)
    count = (share * sample.shape[1]).long().clamp(1, sample.shape[1] - 1)
    last = sample.sort(dim=1).values.gather(1, count[:, None] - 1)
    highest = rank.flatten(1).amax(dim=1, keepdim=True)
    last, highest = (one.view(-1, *([1] * (rank.ndim - 1))) for one in (last, highest))
    return (rank <= last) & (rank < highest)


def _along(numbers: Tensor, places: list[Tensor]) -> list[Tensor]:
    """A number (n,) for each axis, of (n, axes), to be set against places."""
    return [one.view(-1, *([1] * len(places))) for one in numbers.unbind(dim=1)]


def _extents(places: list[Tensor]) -> Tensor:
    """(axes,): the length of each axis in units of the longest."""
    lengths = [place.numel() for place in places]
    return torch.tensor([length / max(lengths) for length in lengths], device=places[0].device)


def _boxes(own: Tensor, places: list[Tensor]) -> Tensor:
    """Ranks (n, *axes): by how much the nearest of one to three boxes would have to grow."""
    extents = _extents(places)
    count = (own[:, 0, 0] * BOXES).long()
    found: list[Tensor] = []
    for number in range(BOXES):
        centre = _along(own[:, 1 + 2 * number] * extents, places)
        sides = _along((0.3 + 0.7 * own[:, 2 + 2 * number]) * extents, places)
        growth = torch.zeros((), device=own.device)
        for place, at, side in zip(places, centre, sides, strict=True):
            if place.numel() > 1:
                growth = torch.maximum(growth, (place - at).abs() / side)
        there = (count >= number).view(-1, *([1] * len(places)))
        found.append(torch.where(there, growth, torch.inf))
    return torch.stack(found).amin(dim=0)


def _strokes(own: Tensor, places: list[Tensor]) -> Tensor:
    """Ranks (n, *axes): when a brush comes by, and then by the distance to where it was."""
    extents = _extents(places)
    radius = (0.03 + 0.06 * own[:, 0, :1]).view(-1, *([1] * len(places)))
    rank = torch.full((), torch.inf, device=own.device)
    for stroke in range(STROKES):
        first = 1 + stroke * (SEGMENTS + 1)
        at, way = own[:, first] * extents, torch.zeros_like(own[:, 0])
        for segment in range(SEGMENTS):
            way = 0.5 * way + 0.3 * (2 * own[:, first + 1 + segment] - 1)
            to = _within(at + way, extents)
            share, distance = _to_segment(places, _along(at, places), _along(to - at, places))
            when = torch.where(distance <= radius, stroke * SEGMENTS + segment + share, STROKES * SEGMENTS)
            rank = torch.minimum(rank, when + distance)
            at, way = to, to - at
    return rank


def _within(at: Tensor, extents: Tensor) -> Tensor:
    """Positions (n, axes) reflected at the borders."""
    at = at.abs()
    return (extents - (extents - at).abs()).clamp_min(0)


def _to_segment(places: list[Tensor], start: list[Tensor], way: list[Tensor]) -> tuple[Tensor, Tensor]:
    """How far along a segment, as a share of it, the point next to each place lies, and the distance to that."""
    length = along = distance = torch.zeros((), device=places[0].device)
    for place, begin, step in zip(places, start, way, strict=True):
        length, along = length + step.square(), along + (place - begin) * step
    share = (along / length.clamp_min(1e-12)).clamp(0, 1)
    for place, begin, step in zip(places, start, way, strict=True):
        distance = distance + (place - begin - share * step).square()
    return share, distance.sqrt()


def _halves(own: Tensor, places: list[Tensor]) -> Tensor:
    """Ranks (n, *axes): by the distance from a side, or from a corner, in a direction that every other time is an axis."""
    away = (2 * own[:, 0] - 1) * torch.tensor([place.numel() > 1 for place in places], device=own.device)
    steepest = away.abs().amax(dim=1, keepdim=True)
    straight = torch.where(away.abs() == steepest, away, 0.0)
    away = torch.where(own[:, 1, :1] < 0.5, straight, away)
    rank = torch.zeros((), device=own.device)
    for place, step in zip(places, _along(away, places), strict=True):
        rank = rank + place * step
    return rank


Rank = Callable[[Tensor, list[Tensor]], Tensor]
RANKS: dict[Kind, tuple[Rank, int]] = {
    "box": (_boxes, 1 + 2 * BOXES),
    "strokes": (_strokes, 1 + STROKES * (SEGMENTS + 1)),
    "half": (_halves, 2),
}
"""How ranks are made of each kind, and from how many numbers an axis."""
