"""Samples made by removing noise step by step, with classifier-free guidance (Ho and Salimans 2022), from noise or from a
noised start (SDEdit: Meng et al. 2022), with parts of the start kept where asked (Lugmayr et al. 2022, without going back and
forth)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.models.architectures.base import Architecture, DenoiseOptions, Denoises
from genwright.sampling.base import Ask, Sampler, Seats, Tick
from genwright.sampling.solvers import RESTING, SOLVERS, Level, Step

PLANS = 32  # that are kept, by solver, number of steps and beginning
FINE = 1024  # times at which the way is measured
STRENGTH = 0.6  # of a start of which nothing is said
ENDS = 1e-3  # how near to all content and to all noise times come, where one of the levels vanishes


def plan(model: Denoises, solver: str, steps: int, begin: float) -> list[Step]:
    """The steps of a solver from time `begin` to 0; the last estimate is what is made."""
    times = way(model, steps, begin)
    told = zip(times.tolist(), *(level.tolist() for level in model.levels(times)), strict=True)
    found = SOLVERS[solver]([Level(*one) for one in told])
    return [*found[:-1], Step(found[-1].at, 1.0, 0.0)]


def way(model: Denoises, steps: int, begin: float) -> Tensor:
    """(steps + 1,) times falling from `begin` to 0, or near these. Half the way is even in time, half in the logarithm of the
    signal-to-noise ratio, along which solvers err (Lu et al. 2022): evenly in time alone, the last of few steps makes all fine
    detail at once."""
    fine = torch.linspace(min(max(begin, 2 * ENDS), 1 - ENDS), ENDS, FINE + 1, dtype=torch.float64)
    signal, sigma = model.levels(fine)
    ratio = (signal / sigma).log()
    gone = torch.linspace(0, 1, FINE + 1, dtype=torch.float64) + (ratio - ratio[0]) / (ratio[-1] - ratio[0])
    return torch.from_numpy(np.interp(np.linspace(0, 2, steps + 1), gone.numpy(), fine.numpy())).float()


def beginning(ask: Ask) -> float:
    """The time at which a row begins: all noise, or with a start as far back as that is redrawn. Where a part of it is kept,
    nothing is left of the other, unless that is asked for."""
    assert isinstance(ask.options, DenoiseOptions)
    if ask.start is None:
        return 1.0
    if ask.options.strength is not None:
        return ask.options.strength
    return STRENGTH if ask.keep is None else 1.0


@dataclass
class _Row:
    options: DenoiseOptions
    steps: list[Step]
    draws: Draws
    guided: bool
    kept: bool
    at: int = 0

    @property
    def guidance(self) -> float:
        """Of the step that comes now."""
        first, last = self.options.guided
        return self.options.guidance if self.guided and first <= self.steps[self.at].at.time <= last else 1.0


class DenoiseSampler(Sampler):
    """Every row has its own number of steps. With `previews`, every tick carries the content as it is estimated so far."""

    Options = DenoiseOptions

    def __init__(self, model: Architecture, slots: int, *, previews: bool = False) -> None:
        super().__init__(model, slots)
        assert isinstance(model, Denoises)
        self._denoises: Denoises = model
        self._dims, self._previews = model.makes.dims, previews
        zeros = (torch.zeros(slots, *self._dims, device=self.device) for _ in range(4))
        self._x, self._memory, self._noise, self._start = zeros
        self._keep = torch.zeros(slots, 1, *self._dims[1:], dtype=torch.bool, device=self.device)
        self._given, self._nothing = Seats(slots), Seats(slots)
        self._steps = lru_cache(maxsize=PLANS)(partial(plan, model))
        self._rows: dict[int, _Row] = {}
        self._made: dict[int, Tensor] = {}

    def _check(self, ask: Ask) -> None:
        super()._check(ask)
        if ask.start is not None and tuple(ask.start.shape) != self._dims:
            raise ModelError(
                "A sample cannot begin from that, which has another size.", got=tuple(ask.start.shape), allowed=self._dims
            )
        if ask.keep is None:
            return
        if ask.start is None:
            raise ModelError("There is nothing to keep a part of.", do="give a start as well, or leave out what is kept")
        if tuple(ask.keep.shape) not in (self._dims[1:], (1, *self._dims[1:])):
            raise ModelError("What is kept must be said for every place.", got=tuple(ask.keep.shape), allowed=self._dims[1:])

    def _begin(self, slots: list[int], ask: Ask) -> None:
        assert isinstance(ask.options, DenoiseOptions)
        [slot] = slots
        draws = Draws([ask.key])
        begin = beginning(ask)
        steps = self._steps(ask.options.sampler, ask.options.steps, begin)
        guided = ask.options.guidance != 1 and bool(ask.given)
        self._noise[slot] = draws.normal(*self._dims)[0].to(self.device)
        self._x[slot], self._memory[slot], self._keep[slot] = self._noise[slot], 0.0, False
        if ask.start is not None:
            self._start[slot] = ask.start
            if begin < 1:
                first = steps[0].at
                self._x[slot] = first.signal * self._start[slot] + first.sigma * self._noise[slot]
        if ask.keep is not None:
            self._keep[slot] = ask.keep.reshape(1, *self._dims[1:]) >= 0.5
        self._given.put(slot, self._read(ask.given))
        if guided:
            self._nothing.put(slice(None), self._read({}))
        self._rows[slot] = _Row(ask.options, steps, draws, guided, ask.keep is not None)

    def _advance(self, running: list[int]) -> list[Tick]:
        rows = {slot: self._rows[slot] for slot in running}
        steps = [rows[slot].steps[rows[slot].at] if slot in rows else RESTING for slot in range(self.slots)]
        time = torch.tensor([step.at.time for step in steps], device=self.device)
        if any(row.kept for row in rows.values()):
            signal, sigma = self._each(step.at.signal for step in steps), self._each(step.at.sigma for step in steps)
            self._x = torch.where(self._keep, signal * self._start + sigma * self._noise, self._x)
        clean, x = self._clean(time, rows), self._x
        self._x = self._each(step.estimate for step in steps) * clean + self._each(step.x for step in steps) * x
        if any(step.memory for step in steps):
            self._x = self._x + self._each(step.memory for step in steps) * self._memory
        if any(step.fresh for step in steps):
            self._x = self._x + self._each(step.fresh for step in steps) * self._fresh(rows)
        if any(step.keep_estimate for step in steps):
            kept = self._each(step.keep_estimate for step in steps) * clean
            self._memory = kept + self._each(step.keep_x for step in steps) * x
        return [self._tick(slot, row, clean[slot]) for slot, row in rows.items()]

    def _each(self, shares: Iterable[float]) -> Tensor:
        """(slots, 1, ...) a number for every slot."""
        return torch.tensor(list(shares), device=self.device).view(-1, *([1] * len(self._dims)))

    def _clean(self, time: Tensor, rows: dict[int, _Row]) -> Tensor:
        """(slots, *dims) the content as it is estimated, drawn towards what is given."""
        clean = self._denoises.clean(self._x, time, self._given.given)
        if any(row.guidance != 1 for row in rows.values()):
            free = self._denoises.clean(self._x, time, self._nothing.given)
            guidance = self._each(rows[slot].guidance if slot in rows else 1.0 for slot in range(self.slots))
            clean = torch.where(guidance == 1, clean, free + guidance * (clean - free))
        return clean.clamp(-1, 1) if self.model.makes.bounded else clean

    def _fresh(self, rows: dict[int, _Row]) -> Tensor:
        """(slots, *dims) new noise of the rows that take some, brought to the device together."""
        noise = torch.zeros(self._x.shape)
        for slot, row in rows.items():
            if row.steps[row.at].fresh:
                noise[slot] = row.draws.normal(*self._dims)[0]
        return noise.to(self.device)

    def _tick(self, slot: int, row: _Row, clean: Tensor) -> Tick:
        row.at += 1
        done = row.at == len(row.steps)
        if not done and not self._previews:
            return Tick(slot, done)
        shown = torch.where(self._keep[slot], self._start[slot], clean).cpu()
        if done:
            self._made[slot] = shown
        return Tick(slot, done, shown.clone() if self._previews else None)

    def _result(self, slot: int) -> Tensor:
        return self._made[slot]

    def _leave(self, slots: list[int]) -> None:
        del self._rows[slots[0]]
        self._made.pop(slots[0], None)
