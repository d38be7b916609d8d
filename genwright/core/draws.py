"""Random numbers that belong to a row: whatever its neighbours are, it draws the same.

Each row has a counter-based stream of its own (Philox: Salmon et al. 2011), keyed by what the row is (a seed, a step, a
number). They are drawn on the CPU and moved, so that every device sees the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


class Draws:
    """Streams of `n` rows; every call goes on where the one before stopped. `key`: integers that name a row."""

    def __init__(self, keys: Iterable[Sequence[int]], device: torch.device | str = "cpu") -> None:
        self._keys, self._device = [tuple(key) for key in keys], device

    @classmethod
    def of(cls, seed: int, step: int, rows: Iterable[int], device: torch.device | str = "cpu") -> Draws:
        """The streams of some rows of a data set at a step of training."""
        return cls(((seed, step, int(row)) for row in rows), device)

    def __len__(self) -> int:
        return len(self._keys)

    @cached_property
    def _streams(self) -> list[np.random.Generator]:
        return [np.random.Generator(np.random.Philox(key=_key(key))) for key in self._keys]

    def normal(self, *dims: int) -> Tensor:
        """(n, *dims) float32, standard normal."""
        return self._stack([stream.standard_normal(dims, dtype=np.float32) for stream in self._streams])

    def uniform(self, *dims: int) -> Tensor:
        """(n, *dims) float32 in [0, 1)."""
        return self._stack([stream.random(dims, dtype=np.float32) for stream in self._streams])

    def integers(self, high: int, *dims: int) -> Tensor:
        """(n, *dims) int64 in [0, high)."""
        return self._stack([stream.integers(high, size=dims) for stream in self._streams])

    def _stack(self, rows: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack([np.asarray(row) for row in rows])).to(self._device)


def _key(parts: Sequence[int]) -> int:
    """128 bits that differ where the parts do."""
    told = ",".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(told, digest_size=16).digest(), "little")
