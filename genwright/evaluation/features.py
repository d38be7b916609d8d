"""Features in which arrays are compared: whitened principal components of the training items.

They are a function of the training split alone, so every family is measured with the same ruler. Whitening gives fine
detail the same say as overall shape, so that blurred samples do not pass for good ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from genwright.core.shapes import Shape, Signal
from genwright.data.feed import Side
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.neighbours import flat, pieces

SIDE = 32  # longer axes are averaged down to this before comparing
MOST = 20_000  # training items the components are learned from
COMPONENTS = 128
ENOUGH = 30  # unseen items to scale by


@dataclass(frozen=True)
class Features:
    """A linear map from flat items (n, values) to features (n, d) of unit variance over the training items."""

    dims: tuple[int, ...]
    mean: Tensor
    basis: Tensor

    def __call__(self, flat: Tensor) -> Tensor:
        return (_reduced(flat, self.dims) - self.mean) @ self.basis


def applies(content: Shape | None) -> str | None:
    """None, or why items of this shape have no such features."""
    fits = isinstance(content, Signal) and (content.picture or not content.axes)
    return None if fits else "compares arrays with two axes (pictures) and plain vectors"


def learn(train: Side, content: Signal, unseen: Side) -> Features:
    """Components that hold 99 % of the variance of the training items, at most COMPONENTS, each scaled to unit variance over
    the unseen items: over the items it was learned from it has more, and the more so the fewer these are."""
    total, square, n = torch.zeros(()), torch.zeros(()), 0
    for piece in pieces(train, MOST):
        x = _reduced(piece, content.dims).double()
        total, square, n = total + x.sum(dim=0), square + x.T @ x, n + len(x)
    mean = total / n
    values, vectors = torch.linalg.eigh(square / n - torch.outer(mean, mean))
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    d = min(COMPONENTS, max(1, n // 2), int((values.cumsum(0) < 0.99 * values.sum()).sum()) + 1)
    scale = values[:d].sqrt()
    if len(unseen) >= ENOUGH:
        scale = ((_reduced(flat(unseen, MOST), content.dims).double() - mean) @ vectors[:, :d]).std(dim=0)
    return Features(content.dims, mean.float(), (vectors[:, :d] / scale.clamp(min=1e-4)).float())


def ruler(evaluand: Evaluand) -> Features:
    """The components of the training items of what is measured, scaled by the validation items."""
    makes = evaluand.signature.makes
    assert isinstance(makes, Signal)

    def learned() -> dict[str, Tensor]:
        found = learn(evaluand.dataset.train, makes, evaluand.dataset.validation)
        return {"mean": found.mean, "basis": found.basis}

    kept = evaluand.data.tensors("components", learned)
    return Features(makes.dims, kept["mean"], kept["basis"])


def held_out(evaluand: Evaluand, limit: int) -> Tensor:
    """(min(limit, n), d) features of the held-out items."""
    side = evaluand.held_out
    return evaluand.data.tensors(f"{side.name} features {limit}", lambda: {"features": ruler(evaluand)(flat(side, limit))})[
        "features"
    ]


def _reduced(flat: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Items with axes longer than SIDE averaged down, flat again."""
    channels, *axes = dims
    if all(a <= SIDE for a in axes):
        return flat
    small = (min(axes[0], SIDE), min(axes[1], SIDE))
    return F.adaptive_avg_pool2d(flat.view(len(flat), channels, *axes), small).flatten(1)
