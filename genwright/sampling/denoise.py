"""Samples made by removing noise step by step (DDPM: Ho et al. 2020; DDIM: Song et al. 2021), with classifier-free
guidance (Ho and Salimans 2022), from noise or from a noised start (SDEdit: Meng et al. 2022), with parts of the start kept
where asked (Lugmayr et al. 2022, without going back and forth)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.models.architectures.base import Architecture, DenoiseOptions, Denoises
from genwright.sampling.base import Ask, Sampler, Seats, Tick

ENDS = 1e-3  # how near to all content and to all noise times come, where one of the levels vanishes

Stage = tuple[float, float, float, float, float, float]
"""A step: its time, how much of content and of noise there is then, and the shares of the estimate, of what is there and of
fresh noise in what comes after."""
RESTING: Stage = (0.5, 0.0, 1.0, 0.0, 1.0, 0.0)  # of a slot that no row runs in


@dataclass
class _Row:
    options: DenoiseOptions
    stages: list[Stage]
    draws: Draws
    guided: bool
    kept: bool
    at: int = 0


class DenoiseSampler(Sampler):
    """Every row has its own number of steps. With `previews`, every tick carries the content as it is estimated so far."""

    Options = DenoiseOptions

    def __init__(self, model: Architecture, slots: int, *, previews: bool = False) -> None:
        super().__init__(model, slots)
        assert isinstance(model, Denoises)
        self._denoises: Denoises = model
        self._dims, self._previews = model.makes.dims, previews
        self._x, self._noise, self._start = (torch.zeros(slots, *self._dims, device=self.device) for _ in range(3))
        self._keep = torch.zeros(slots, 1, *self._dims[1:], dtype=torch.bool, device=self.device)
        self._given, self._nothing = Seats(slots), Seats(slots)
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
        draws = Draws([ask.key], self.device)
        begin = 1.0 if ask.start is None else ask.options.strength
        stages = self._stages(ask.options, begin)
        guided = ask.options.guidance != 1 and bool(ask.given)
        self._noise[slot] = draws.normal(*self._dims)[0]
        self._x[slot], self._keep[slot] = self._noise[slot], False
        if ask.start is not None:
            self._start[slot] = ask.start
            if begin < 1:
                self._x[slot] = stages[0][1] * self._start[slot] + stages[0][2] * self._noise[slot]
        if ask.keep is not None:
            self._keep[slot] = ask.keep.reshape(1, *self._dims[1:]) >= 0.5
        self._given.put(slot, self._read(ask.given))
        if guided:
            self._nothing.put(slice(None), self._read({}))
        self._rows[slot] = _Row(ask.options, stages, draws, guided, ask.keep is not None)

    def _stages(self, options: DenoiseOptions, begin: float) -> list[Stage]:
        """The steps from time `begin` to 0."""
        times = torch.linspace(begin, 0.0, options.steps + 1, device=self.device).clamp(ENDS, 1 - ENDS)
        levels = zip(times.tolist(), *(level.tolist() for level in self._denoises.levels(times)), strict=True)
        stages: list[Stage] = []
        for (now, signal, sigma), (_, next_signal, next_sigma) in pairwise(levels):
            fresh = 0.0
            if options.sampler == "ddpm":  # an ancestral step: noise of the posterior's variance
                kept = signal / next_signal
                fresh = min(next_sigma, next_sigma / sigma * max(0.0, 1 - kept**2) ** 0.5)
            # The noise in what is there is (x - signal * clean) / sigma; so much of it goes on.
            straight = max(0.0, next_sigma**2 - fresh**2) ** 0.5 / sigma
            stages.append((now, signal, sigma, next_signal - straight * signal, straight, fresh))
        return [*stages[:-1], (*stages[-1][:3], 1.0, 0.0, 0.0)]  # the last estimate is what is made

    def _advance(self, running: list[int]) -> list[Tick]:
        rows = {slot: self._rows[slot] for slot in running}
        stages = [rows[slot].stages[rows[slot].at] if slot in rows else RESTING for slot in range(self.slots)]
        columns = torch.tensor(stages, device=self.device).T
        time = columns[0]
        signal, sigma, to_clean, to_x, fresh = (column.view(-1, *([1] * len(self._dims))) for column in columns[1:])
        if any(row.kept for row in rows.values()):
            self._x = torch.where(self._keep, signal * self._start + sigma * self._noise, self._x)
        clean = self._clean(time.contiguous(), rows)
        self._x = to_clean * clean + to_x * self._x
        if any(stage[-1] for stage in stages):
            self._x = self._x + fresh * self._fresh(rows)
        return [self._tick(slot, row, clean[slot]) for slot, row in rows.items()]

    def _clean(self, time: Tensor, rows: dict[int, _Row]) -> Tensor:
        """(slots, *dims) the content as it is estimated, drawn towards what is given."""
        clean = self._denoises.clean(self._x, time, self._given.given)
        if any(row.guided for row in rows.values()):
            free = self._denoises.clean(self._x, time, self._nothing.given)
            weights = [rows[slot].options.guidance if slot in rows and rows[slot].guided else 1.0 for slot in range(self.slots)]
            guidance = torch.tensor(weights, device=self.device).view(-1, *([1] * len(self._dims)))
            clean = torch.where(guidance == 1, clean, free + guidance * (clean - free))
        return clean.clamp(-1, 1) if self.model.makes.bounded else clean

    def _fresh(self, rows: dict[int, _Row]) -> Tensor:
        """(slots, *dims) new noise of the rows that take some."""
        noise = torch.zeros_like(self._x)
        for slot, row in rows.items():
            if row.stages[row.at][-1]:
                noise[slot] = row.draws.normal(*self._dims)[0]
        return noise

    def _tick(self, slot: int, row: _Row, clean: Tensor) -> Tick:
        row.at += 1
        done = row.at == len(row.stages)
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
