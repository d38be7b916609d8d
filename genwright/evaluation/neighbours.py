"""Distances between arrays and their nearest neighbours, in pieces, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from genwright.data.feed import Side
from genwright.evaluation.evaluand import Evaluand

MOST = 2000  # samples, and held-out items, whose neighbours are looked for
PIECE = 2048  # items compared at once
NEIGHBOURS = 5  # that a ball around an item reaches to
GRID = 16  # a side, of pictures that are looked at coarsely


def pieces(split: Side, limit: int | None = None) -> Iterator[Tensor]:
    """Items of a split in stored order, flattened to (piece, values): all, or a random `limit` of them."""
    rows = np.arange(len(split)) if limit is None else np.sort(split.subset(limit))
    for start in range(0, len(rows), PIECE):
        yield split.contents(rows[start : start + PIECE]).flatten(1)


def flat(split: Side, limit: int) -> Tensor:
    """(min(limit, n), values) random items of a split."""
    return torch.cat(list(pieces(split, limit)))


def nearest(queries: Tensor, items: Iterable[Tensor], k: int = 2) -> tuple[Tensor, Tensor]:
    """Euclidean distances (n, k) from flat queries (n, values) to the k nearest of items that come in pieces (piece, values),
    and their places; infinite where there are fewer.

    Every item is looked at once: time grows in a line with their number, memory does not.
    """
    best = torch.full((len(queries), k), float("inf"))
    rows = torch.zeros((len(queries), k), dtype=torch.int64)
    start = 0
    for piece in items:
        distances = torch.cdist(queries, piece)
        both = torch.cat([best, distances], dim=1)
        which = torch.cat([rows, torch.arange(start, start + len(piece)).expand(len(queries), -1)], dim=1)
        best, chosen = both.topk(k, dim=1, largest=False)
        rows = which.gather(1, chosen)
        start += len(piece)
    return best, rows


def twins(queries: Tensor, items: Iterable[Tensor], view: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Distances (n, 2) from pictures (n, channels, rows, columns) to the two nearest items, which come in pieces as `view`
    makes them flat, and the places of these (n, 2). Pictures are compared as themselves or mirrored, whichever is nearer by
    the ratio of the two distances."""
    both = view(torch.cat([queries, queries.flip(-1)]))  # together, so that items are read once
    distances, found = nearest(both, items)
    n = len(queries)
    plain, mirrored, rows, others = distances[:n], distances[n:], found[:n], found[n:]
    better = (mirrored[:, 0] * plain[:, 1] < plain[:, 0] * mirrored[:, 1])[:, None]
    return torch.where(better, mirrored, plain), torch.where(better, others, rows)


def coarse(items: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Items, flat or not, averaged down to at most GRID a side, flat."""
    channels, height, width = dims
    small = (min(height, GRID), min(width, GRID))
    return F.adaptive_avg_pool2d(items.reshape(-1, channels, height, width), small).flatten(1)


def radius(items: Tensor) -> Tensor:
    """(n,) from each item to its NEIGHBOURS-th nearest other, or to the farthest where there are fewer."""
    return torch.cdist(items, items).kthvalue(min(NEIGHBOURS + 1, len(items)), dim=1).values


def of_samples(evaluand: Evaluand) -> tuple[Tensor, Tensor]:
    """Distances (n, 2) from the first MOST samples to the two nearest training items, and their rows."""
    train = evaluand.dataset.train
    return evaluand.once("neighbours", lambda: nearest(evaluand.samples[:MOST].flatten(1), pieces(train)))


def of_held_out(evaluand: Evaluand) -> Tensor:
    """Distances (n, 2) from up to MOST held-out items to the two nearest training items."""
    side, train = evaluand.held_out, evaluand.dataset.train
    key = f"{side.name} neighbours"
    return evaluand.data.tensors(key, lambda: {"distances": nearest(flat(side, MOST), pieces(train))[0]})["distances"]
