"""What transformers keep of the rows they write, so that nothing is computed twice."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor


class Cache:
    """What `slots` rows are given and have written, as keys and values with room for `room` tokens a row, so that each is
    computed once. Every row has its own length."""

    def __init__(self, slots: int, room: int, device: torch.device | str = "cpu") -> None:
        self.room = room
        self.seen = torch.zeros(slots, dtype=torch.int64, device=device)
        self._written: dict[str, Tensor] = {}
        self._given: dict[str, Tensor] = {}
        self._slots, self._span = slots, slice(0, slots)

    def __getitem__(self, slot: int) -> Cache:
        """The same cache, of one slot alone."""
        one = copy(self)
        one._span = slice(slot, slot + 1)
        one.seen = self.seen[one._span]
        return one

    def begin(self, **given: Tensor) -> None:
        """New rows: what the slots held is gone, and this (r, ...) is what they are given from now on."""
        self.seen.zero_()
        for held in self._written.values():
            held[self._span] = 0  # not only unseen: no number that is none may come through a weight of zero
        for name, value in given.items():
            self._of(self._given, name, value, value.shape[1:])[:] = value

    def given(self, name: str) -> Tensor | None:
        """(r, ...) what the slots are given under that name."""
        return self._given[name][self._span] if name in self._given else None

    def extend(self, layer: int, keys: Tensor, values: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """Add the newest tokens' (r, heads, m, size) of one layer at their places (r, m); returns all the slots hold (r,
        heads, room, size), of which only what `visible` shows is theirs."""
        n, heads, m, size = keys.shape
        rows = torch.arange(n, device=at.device)[:, None].expand(n, m)
        pair = []
        for name, new in (("keys", keys), ("values", values)):
            held = self._of(self._written, f"{layer}.{name}", new, (heads, self.room, size))
            held[rows, :, at] = new.transpose(1, 2)
            pair.append(held)
        return pair[0], pair[1]

    def places(self, m: int) -> Tensor:
        """(r, m) where the next m tokens of each slot go; the last place where there is no room (rows that have ended)."""
        return (self.seen[:, None] + torch.arange(m, device=self.seen.device)).clamp_max(self.room - 1)

    def visible(self, at: Tensor) -> Tensor:
        """(r, 1, m, room): whether tokens at places (r, m) see a place: those before them, and their own."""
        return (torch.arange(self.room, device=at.device) <= at[:, :, None])[:, None]

    def reorder(self, rows: Tensor, origin: Tensor, upto: int) -> None:
        """Slot `rows[i]` goes on from what slot `origin[i]` has written, at most `upto` tokens; both are given the same."""
        for held in self._written.values():
            held[rows, :, :upto] = held[origin, :, :upto]
        self.seen[rows] = self.seen[origin]

    def share(self, slot: int, rows: Tensor) -> None:
        """The slots `rows` begin from all that `slot` is given and has written."""
        for held in (self.seen, *self._given.values(), *self._written.values()):
            held[rows] = held[slot].clone()

    def _of(self, store: dict[str, Tensor], name: str, like: Tensor, dims: Sequence[int]) -> Tensor:
        if name not in store:
            store[name] = like.new_zeros(self._slots, *dims)
        return store[name][self._span]
