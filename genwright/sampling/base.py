"""What every sampler offers: rows come into slots, advance together a step at a time, and leave.

All slots are computed at every step, also those that no row is in, and what a row begins with (what it is given, its
prompt, its random numbers) is computed for it alone. So a row's numbers never go through a kernel of another shape, and
its result depends on what was asked alone, bit for bit, whoever its neighbours are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from genwright.core.batch import Given, blank
from genwright.core.errors import ModelError, NotFinite, nearest
from genwright.core.shapes import Label, Shape, Signal, Tokens
from genwright.models.architectures.base import Architecture, SampleOptions
from genwright.models.layers.conditioning import Conditioned

KNOWN = 1024  # different labels and texts that are kept as they were read


@dataclass(frozen=True)
class Ask:
    """One row that is wanted. Its result depends on this alone.

    `key` names its random stream, such as (seed, place). `given`: rows without the batch axis; a column that is not here is
    absent. `start`: what it begins from, the tokens (m,) of a prompt or a content (*dims). `keep`: where that stays, over the
    content's axes, 1 where it is kept.
    """

    key: tuple[int, ...]
    options: SampleOptions
    given: Mapping[str, Tensor] = field(default_factory=dict)
    start: Tensor | None = None
    keep: Tensor | None = None


@dataclass(frozen=True)
class Tick:
    """What a step did for the row in a slot. `piece`: the tokens since the last tick, or the content so far where previews
    were asked for."""

    slot: int
    done: bool
    piece: Tensor | None = None


class Sampler(ABC):
    """Draws rows of one model, `slots` at a time."""

    Options: ClassVar[type[SampleOptions]]

    def __init__(self, model: Architecture, slots: int) -> None:
        self.model, self.slots = model, slots
        self.device = next(model.parameters()).device
        self._free = list(range(slots))
        self._taken: dict[int, list[int]] = {}  # all slots of a row, by its first
        self._done: set[int] = set()
        self._broken: set[int] = set()  # slots of rows that met numbers that are not finite
        self._known: dict[tuple[tuple[str | int, ...], ...], Conditioned] = {}

    @property
    def free(self) -> int:
        """How many slots no row is in."""
        return len(self._free)

    @property
    def running(self) -> list[int]:
        """The slots of rows that are not finished, in the order in which they came."""
        return [slot for slot in self._taken if slot not in self._done]

    def need(self, ask: Ask) -> int:
        """How many slots a row takes."""
        return 1

    def admit(self, asks: Sequence[Ask]) -> list[int]:
        """Begin a row for each that is asked for; returns the slot that each is known by. Raises ModelError, with nothing
        begun, when one of them cannot be drawn or they need more slots than are free."""
        for ask in asks:
            self._check(ask)
        needed = sum(self.need(ask) for ask in asks)
        if needed > self.free:
            raise ModelError("There are not enough free slots for these rows.", got=f"{needed} needed", allowed=self.free)
        with self._still():
            return [self._enter(ask) for ask in asks]

    def step(self) -> list[Tick]:
        """Advance all rows that are not finished by a step; one tick for each, in the order in which they came."""
        if not self.running:
            return []
        with self._still():
            ticks = self._advance(self.running)
        self._done |= {tick.slot for tick in ticks if tick.done}
        return ticks

    def take(self, slot: int) -> Tensor:
        """The finished row of a slot, on the CPU; the slot is free again. Raises NotFinite where it is no result."""
        if slot not in self._done:
            raise ValueError(f"no finished row in slot {slot}")
        row = self._result(slot)
        broken = slot in self._broken or not bool(torch.isfinite(row).all())
        self.drop(slot)
        if broken:
            raise NotFinite(
                f"A sample of {self.model.name} is not finite, so it is no result.",
                do="train at a lower rate (train.learning_rate), or use another version",
            )
        return row

    def drop(self, slot: int) -> None:
        """End the row of a slot, finished or not; no other row notices."""
        slots = self._taken.pop(slot)
        self._done.discard(slot)
        self._broken.discard(slot)
        self._leave(slots)
        self._free = sorted([*self._free, *slots])

    @abstractmethod
    def _begin(self, slots: list[int], ask: Ask) -> None:
        """Make ready what the slots of a new row hold."""

    @abstractmethod
    def _advance(self, running: list[int]) -> list[Tick]:
        """A step of these rows."""

    @abstractmethod
    def _result(self, slot: int) -> Tensor:
        """What came of a row."""

    def _leave(self, slots: list[int]) -> None:
        """A row is gone from its slots."""

    def _check(self, ask: Ask) -> None:
        """Raises ModelError when a row cannot be drawn."""
        if not isinstance(ask.options, self.Options):
            raise ModelError(
                f"{self.model.name} cannot sample that way.", got=type(ask.options).__name__, allowed=self.Options.__name__
            )
        ports = self.model.signature.given
        for name, value in ask.given.items():
            if name not in ports:
                raise ModelError(
                    "The model is given no such column.",
                    got=f"{name}{nearest(name, ports)}",
                    allowed=", ".join(ports) or "none",
                )
            _fits(name, value, ports[name].shape)

    def _read(self, given: Mapping[str, Tensor]) -> Conditioned:
        """What one row is given, ready for use, by itself. Rows with the same labels and texts share it: the weights stay as
        they are while a sampler lives."""
        told = {name: Given.all(value[None].to(self.device)) for name, value in given.items()}
        if any(isinstance(self.model.signature.given[name].shape, Signal) for name in given):
            return self.model.read(1, told)
        key = tuple((name, *value.flatten().tolist()) for name, value in sorted(given.items()))
        if key not in self._known:
            if len(self._known) == KNOWN:
                self._known.clear()
            self._known[key] = self.model.read(1, told)
        return self._known[key]

    def _enter(self, ask: Ask) -> int:
        slots = self._free[: self.need(ask)]
        self._begin(slots, ask)
        del self._free[: len(slots)]
        self._taken[slots[0]] = slots
        return slots[0]

    @contextmanager
    def _still(self) -> Iterator[None]:
        """Without gradients and with the model in evaluation mode, which is put back."""
        training = self.model.training
        if training:
            self.model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            if training:
                self.model.train()


class Seats:
    """What the rows in all slots are given, side by side."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._held: dict[str, Tensor] = {}

    def put(self, slot: int | slice, row: Conditioned) -> None:
        """A row (1, ...) takes its seat."""
        for name, value in vars(row).items():
            if value is None:
                continue
            if name not in self._held:
                self._held[name] = value.new_zeros(self._slots, *value.shape[1:])
            self._held[name][slot] = value[0]

    @property
    def given(self) -> Conditioned:
        """(slots, ...)."""
        return Conditioned(**self._held)


def _fits(name: str, value: Tensor, shape: Shape) -> None:
    """Raises ModelError when a value is no row of a shape."""
    like = blank(shape, 1)[0]
    if value.shape != like.shape or value.is_floating_point() != like.is_floating_point():
        raise ModelError(
            f"What is given as {name} does not fit the model.",
            got=f"{value.dtype} {tuple(value.shape)}",
            allowed=f"{like.dtype} {tuple(like.shape)}",
        )
    if isinstance(shape, Label | Tokens):
        most = shape.classes if isinstance(shape, Label) else shape.vocab
        if bool(((value < 0) | (value >= most)).any()):
            raise ModelError(
                f"What is given as {name} is not known to the model.", got=value.tolist(), allowed=f"0 to {most - 1}"
            )
