"""Distances between arrays and their nearest neighbours, in pieces, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from genwright.data.feed import Side
from genwright.evaluation.evaluand import Evaluand

MOST = 2000  # samples, and held-out items, whose neighbours are looked for
PIECE = 2048  # items compared at once


def pieces(split: Side, limit: int | None = None) -> Iterator[Tensor]:
    """The first `limit` items of a split, flattened to (piece, values), in stored order."""
    n = len(split) if limit is None else min(limit, len(split))
    for start in range(0, n, PIECE):
        yield split.contents(np.arange(start, min(start + PIECE, n))).flatten(1)


def flat(split: Side, limit: int) -> Tensor:
    """(min(limit, n), values) items of a split in stored order."""
    return torch.cat(list(pieces(split, limit)))


def nearest(queries: Tensor, split: Side, k: int = 2) -> tuple[Tensor, Tensor]:
    """Euclidean distances (n, k) from flat queries (n, values) to their k nearest items of a split, and their rows.

    Every item is looked at once: time grows in a line with the split, memory does not.
    """
    k = min(k, len(split))
    best = torch.full((len(queries), k), float("inf"))
    rows = torch.zeros((len(queries), k), dtype=torch.int64)
    start = 0
    for piece in pieces(split):
        distances = torch.cdist(queries, piece)
        both = torch.cat([best, distances], dim=1)
        which = torch.cat([rows, torch.arange(start, start + len(piece)).expand(len(queries), -1)], dim=1)
        best, chosen = both.topk(k, dim=1, largest=False)
        rows = which.gather(1, chosen)
        start += len(piece)
    return best, rows


def of_samples(evaluand: Evaluand) -> tuple[Tensor, Tensor]:
    """Distances (n, 2) from the first MOST samples to the two nearest training items, and their rows."""
    train = evaluand.dataset.train
    return evaluand.once("neighbours", lambda: nearest(evaluand.samples[:MOST].flatten(1), train))


def of_held_out(evaluand: Evaluand) -> Tensor:
    """Distances (n, 2) from the first MOST held-out items to the two nearest training items."""
    side, train = evaluand.held_out, evaluand.dataset.train
    key = f"{side.name} neighbours"
    return evaluand.data.tensors(key, lambda: {"distances": nearest(flat(side, MOST), train)[0]})["distances"]
