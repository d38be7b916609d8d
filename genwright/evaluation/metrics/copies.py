"""Is a sample a copy of one training item?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from genwright.core.shapes import Signal, Signature
from genwright.data.feed import Side
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.neighbours import MOST, coarse, nearest, pieces, twins
from genwright.evaluation.records import Measured

RATIO = 1 / 3  # Yoon et al. 2023, Bonnaire et al. 2025: much nearer to one training item than to any other


@metrics.register
class Copies(Metric):
    """Share of samples whose nearest training item is less than a third as far as the second nearest, pictures mirrored or
    not, on a grid of up to 16 a side. It does not see copies that were moved by more than a cell of it, or turned.

    `floor` is the same share of held-out items; `naive` that of the training items, which is all. `detail.pairs` lists the
    closest (sample, training row, distance).
    """

    name = "copies"
    better = "lower"
    explain = "Share of samples that are all but equal to one training item; 0 is what new real items show."

    sign = "memorised"
    sees = ("copies", "changed copies", "mirrored copies", "ten repeated")
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return None if isinstance(signature.makes, Signal) else "compares arrays"

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return None if len(evaluand.dataset.train) > 1 else "needs two training items"

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        return alarming(measured)

    def measure(self, evaluand: Evaluand) -> Measured:
        assert isinstance(evaluand.signature.makes, Signal)
        side, train = evaluand.held_out, evaluand.dataset.train
        find = _twins(evaluand.signature.makes, train)
        distances, rows = find(evaluand.samples[:MOST])
        real = evaluand.data.tensors(f"{side.name} twins", lambda: {"distances": find(side.contents(side.subset(MOST)))[0]})[
            "distances"
        ]
        closest = distances[:, 0].argsort()[:16].tolist()
        detail = {"pairs": [[i, int(rows[i, 0]), float(distances[i, 0])] for i in closest]}
        return measured(distances, real, RATIO, evaluand.seed, detail)


def measured(distances: Tensor, real: Tensor, ratio: float, seed: int, detail: dict[str, Any]) -> Measured:
    """The share of copies, of the distances (n, 2) of samples and of real items to the two nearest training items."""
    copied = (distances[:, 0] < ratio * distances[:, 1]).float().numpy()
    low, high = bootstrap(len(copied), lambda places: float(copied[places].mean()), seed=seed)
    floor = float((real[:, 0] < ratio * real[:, 1]).float().mean())
    return Measured(value=float(copied.mean()), low=low, high=high, n=len(copied), floor=floor, naive=1.0, detail=detail)


def alarming(measured: Measured) -> str | None:
    """In words, where more samples are copies than real items are, and than chance makes of them."""
    if measured.low <= (measured.floor or 0.0) + 0.02:
        return None
    return f"{measured.value:.1%} of the samples are all but copies of a training item"


def _twins(makes: Signal, train: Side) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """What finds the two nearest training items: of pictures on a coarse grid, so that one moved by a little is near."""
    if not makes.picture:
        return lambda queries: nearest(queries.flatten(1), pieces(train))

    def view(items: Tensor) -> Tensor:
        return coarse(items, makes.dims)

    return lambda queries: twins(queries, map(view, pieces(train)), view)
