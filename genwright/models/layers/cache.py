"""What transformers keep of the rows they write, so that nothing is computed twice."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor

BLOCK = 32  # places that are looked back at together: whole vectors of every kind of CPU


class Cache:
    """What `slots` rows are given and have written, as keys and values with room for `room` tokens a row. Every row has its
    own length."""

    def __init__(self, slots: int, room: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._room = -(-room // BLOCK) * BLOCK
        self._slots, self._span = slots, slice(0, slots)
        self._sizes: list[int | None] = [None] * slots  # None: no row is there
        self._written: dict[str, Tensor] = {}
        self._given: dict[str, Tensor] = {}

    def __getitem__(self, slot: int) -> Cache:
        """The same cache, of one slot alone."""
        one = copy(self)
        one._span = slice(slot, slot + 1)
        return one

    def begin(self, **given: Tensor) -> None:
        """New rows: what the slots held is gone, and this (r, ...) is what they are given from now on."""
        self._sizes[self._span] = [0] * len(self._sizes[self._span])
        for held in self._written.values():
            held[self._span] = 0  # not only unseen: no number that is none may come through a weight of zero
        for name, value in given.items():
            self._of(self._given, name, value, value.shape[1:])[:] = value

    def end(self, slots: Sequence[int]) -> None:
        """The rows of these slots are gone, so that nobody needs to look as far back as they were long."""
        for slot in slots:
            self._sizes[slot] = None

    def given(self, name: str) -> Tensor | None:
        """(r, ...) what the slots are given under that name."""
        return self._given[name][self._span] if name in self._given else None

    def places(self, m: int) -> Tensor:
        """(r, m) where the next m tokens of each slot go; the last place where there is no room (rows that have ended)."""
        sizes = torch.tensor([size or 0 for size in self._sizes[self._span]], device=self.device)
        return (sizes[:, None] + torch.arange(m, device=self.device)).clamp_max(self._room - 1)

    def visible(self, at: Tensor) -> Tensor:
        """(r, 1, m, reach): whether tokens at places (r, m) see a place: those before them, and their own."""
        return (torch.arange(self._reach(at.shape[1]), device=at.device) <= at[:, :, None])[:, None]

    def extend(self, layer: int, keys: Tensor, values: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """Add the newest tokens' (r, heads, m, size) of one layer at their places (r, m); returns what the slots hold (r,
        heads, reach, size), of which only what `visible` shows is theirs."""
        n, heads, m, size = keys.shape
        rows = torch.arange(n, device=at.device)[:, None].expand(n, m)
        pair = []
        for name, new in (("keys", keys), ("values", values)):
            held = self._of(self._written, f"{layer}.{name}", new, (heads, self._room, size))
            held[rows, :, at] = new.transpose(1, 2)
            pair.append(held[:, :, : self._reach(m)])
        return pair[0], pair[1]

    def advance(self, m: int) -> None:
        """The m tokens that were added last are now among those that the rows have written."""
        self._sizes[self._span] = [None if size is None else size + m for size in self._sizes[self._span]]

    def reorder(self, slots: Sequence[int], origin: Sequence[int]) -> None:
        """Slot `slots[i]` goes on from what slot `origin[i]`, which is as long and is given the same, has written."""
        upto = max(self._sizes[slot] or 0 for slot in slots)
        to, of = (torch.tensor(some, device=self.device) for some in (slots, origin))
        for held in self._written.values():
            held[to, :, :upto] = held[of, :, :upto]

    def share(self, slot: int, slots: Sequence[int]) -> None:
        """Other slots begin from all that a slot is given and has written."""
        at = torch.tensor(slots, device=self.device)
        for held in (*self._given.values(), *self._written.values()):
            held[at] = held[slot].clone()
        for other in slots:
            self._sizes[other] = self._sizes[slot]

    def _reach(self, m: int) -> int:
        """How many places there are to see for any of the next m tokens: whole blocks, on a GPU always all of them.

        A place that a row does not see adds nothing but a zero, and in whole blocks it leaves the order of the sums as it is:
        how far the longest row reaches back changes no bit of the others.
        """
        if self.device.type != "cpu":
            return self._room
        longest = max(size or 0 for size in self._sizes[self._span])
        return min(self._room, -(-(longest + m) // BLOCK) * BLOCK)

    def _of(self, store: dict[str, Tensor], name: str, like: Tensor, dims: Sequence[int]) -> Tensor:
        if name not in store:
            store[name] = like.new_zeros(self._slots, *dims)
        return store[name][self._span]
