"""What comes next, from the tokens just before it alone: the naive model of sequences, which a trained one has to beat."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import BOS, EOS, Tokens
from genwright.data.feed import Side
from genwright.evaluation.evaluand import Evaluand

ORDER = 4  # tokens of a gram: three that are known, and the next
DISCOUNT = 0.75  # taken from every count and given to shorter contexts
MOST = 4_000_000  # training tokens that are counted
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd: multiplying by it loses nothing

Keys = NDArray[np.uint64]
Table = tuple[Keys, NDArray[np.float64]]
"""Hashes in order, and what is known of each (n, columns)."""


class NGrams:
    """Interpolated absolute discounting (Ney et al. 1994) over grams of up to ORDER tokens, of which hashes of 64 bits are
    kept. It sees frequent phrases, and nothing that goes on for longer."""

    def __init__(self, sequences: Iterable[NDArray[np.int64]], vocab: int) -> None:
        self._vocab = vocab
        streams = [_stream(tokens) for tokens in sequences]
        self._tables = [_counted(streams, size) for size in range(1, ORDER + 1)]

    def bits(self, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n + 1,) bits that each token of a sequence costs, and its end."""
        stream = _stream(tokens)
        chance = np.full(len(stream) - ORDER + 1, 1.0 / self._vocab)
        for size, (grams, contexts) in enumerate(self._tables, start=1):
            keys, before = _keys(stream, size)
            found = _looked_up(grams, keys)
            total, followers = _looked_up(contexts, before)
            known = total > 0
            own = np.maximum(found[0] - DISCOUNT, 0.0) / np.where(known, total, 1.0)
            rest = np.where(known, DISCOUNT * followers / np.where(known, total, 1.0), 1.0)
            chance = own * known + rest * chance
        return np.asarray(-np.log2(chance))


def learned(evaluand: Evaluand) -> NGrams:
    """The one that knows the training items of what is measured, or as many of them as hold MOST tokens."""
    return evaluand.data.once("n-grams", lambda: _learned(evaluand))


def _learned(evaluand: Evaluand) -> NGrams:
    train, makes = evaluand.dataset.train, evaluand.signature.makes
    texts = train.texts
    assert texts is not None
    assert texts.offsets is not None
    assert isinstance(makes, Tokens)
    rows = train.subset(len(train))
    held = np.cumsum(np.diff(texts.offsets)[rows])
    enough = rows[: int(np.searchsorted(held, MOST)) + 1]
    return NGrams((texts.tokens(int(row)) for row in enough), makes.vocab)


def bits_of(evaluand: Evaluand, side: Side) -> Tensor:
    """(n,) bits that each item of a side costs, its end among them; kept with the data."""

    def take() -> dict[str, Tensor]:
        texts, grams = side.texts, learned(evaluand)
        assert texts is not None
        return {"bits": torch.tensor([float(grams.bits(texts.tokens(row)).sum()) for row in range(len(side))])}

    return evaluand.data.tensors(f"{side.name} n-grams", take)["bits"]


def _stream(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.full(ORDER - 1, BOS), tokens, [EOS]]).astype(np.int64)


def _keys(stream: NDArray[np.int64], size: int) -> tuple[Keys, Keys]:
    """Hashes of the grams of a size that end at each token after the beginning, and of what stands before that token."""
    n = len(stream) - ORDER + 1
    hashed = np.full(n, size, dtype=np.uint64)
    for back in range(size - 1, 0, -1):
        hashed = _mixed(hashed, stream[ORDER - 1 - back : ORDER - 1 - back + n])
    return _mixed(hashed, stream[ORDER - 1 :]), hashed


def _mixed(hashed: Keys, tokens: NDArray[np.int64]) -> Keys:
    mixed = (hashed ^ (tokens.astype(np.uint64) + np.uint64(1))) * MIX
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


def _counted(streams: list[NDArray[np.int64]], size: int) -> tuple[Table, Table]:
    """How often each gram of a size stands there; and of each context, how often it is followed by anything, and by how many
    different tokens."""
    grams, before = (np.concatenate(part) for part in zip(*(_keys(stream, size) for stream in streams), strict=True))
    known, first, counts = np.unique(grams, return_index=True, return_counts=True)
    contexts, totals = np.unique(before, return_counts=True)
    followers = np.bincount(np.searchsorted(contexts, before[first]), minlength=len(contexts))
    found = counts[:, None].astype(np.float64), np.stack([totals, followers], axis=1).astype(np.float64)
    return (known, found[0]), (contexts, found[1])


def _looked_up(table: Table, keys: Keys) -> NDArray[np.float64]:
    """(columns, n) what a table says of keys; 0 where it does not know them."""
    known, values = table
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, values[places].T, 0.0)
