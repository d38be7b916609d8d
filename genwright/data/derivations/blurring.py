"""A blur that comes out bit for bit the same for a row whatever rows are beside it."""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 3  # standard deviations


def blurred(x: Tensor, deviation: Tensor, most: float) -> Tensor:
    """(n, channels, *axes) under a bell of a standard deviation (n,) of at most `most` places, the border repeated. Below a
    third of a place nothing changes.

    The bell is the triweight kernel, near a Gaussian and made by multiplying alone, and sums are taken in one order:
    convolutions choose how to add by the size of the batch.
    """
    reach = int(REACH * most)
    width = (REACH * deviation).clamp_min(1.0).square().view(-1, *([1] * (x.ndim - 1)))
    bases = [(1 - place * place / width).clamp_min(0) for place in range(reach + 1)]
    bell = [base * base * base for base in bases]
    whole = bell[0]
    for weight in bell[1:]:
        whole = whole + 2 * weight
    bell = [weight / whole for weight in bell]
    for axis in range(2, x.ndim):
        length = x.shape[axis]
        padded = bordered(x, axis, reach)
        x = bell[0] * x
        for place, weight in enumerate(bell[1:], start=1):
            x = x + weight * (padded.narrow(axis, reach - place, length) + padded.narrow(axis, reach + place, length))
    return x


def bordered(x: Tensor, axis: int, reach: int) -> Tensor:
    """With the first and the last place of an axis repeated `reach` times."""
    places = torch.arange(-reach, x.shape[axis] + reach, device=x.device)
    return x.index_select(axis, places.clamp(0, x.shape[axis] - 1))
