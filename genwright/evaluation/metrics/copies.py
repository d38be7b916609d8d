"""Is a sample a copy of one training item?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import Signal, Signature
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.neighbours import MOST, coarse, nearest, pieces, twins
from genwright.evaluation.records import Measured

Search = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Of items (n, ...) the distances (n, 2) to the two nearest training items, and the places of these (n, 2)."""


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
    ratio: ClassVar[float] = 1 / 3  # Yoon et al. 2023, Bonnaire et al. 2025: much nearer to one training item than to any other

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return None if isinstance(signature.makes, Signal) else "compares arrays"

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return None if len(evaluand.dataset.train) > 1 else "needs two training items"

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        if measured.low <= (measured.floor or 0.0) + 0.02:
            return None
        return f"{measured.value:.1%} of the samples are all but copies of a training item"

    def measure(self, evaluand: Evaluand) -> Measured:
        side, find = evaluand.held_out, self.search(evaluand)
        distances, rows = find(evaluand.samples[:MOST])
        real = evaluand.data.tensors(
            f"{side.name} {self.name}", lambda: {"distances": find(side.contents(side.subset(MOST)))[0]}
        )["distances"]
        copied = self._copied(distances)
        low, high = bootstrap(len(copied), lambda places: float(copied[places].mean()), seed=evaluand.seed)
        return Measured(
            value=float(copied.mean()),
            low=low,
            high=high,
            n=len(copied),
            floor=float(self._copied(real).mean()),
            naive=1.0,
            detail=self.detail(evaluand, distances, rows),
        )

    def search(self, evaluand: Evaluand) -> Search:
        """Pictures on a coarse grid, so that one moved by a little is near."""
        makes, train = evaluand.signature.makes, evaluand.dataset.train
        assert isinstance(makes, Signal)
        if not makes.picture:
            return lambda queries: nearest(queries.flatten(1), pieces(train))

        def view(items: Tensor) -> Tensor:
            return coarse(items, makes.dims)

        return lambda queries: twins(queries, map(view, pieces(train)), view)

    def detail(self, evaluand: Evaluand, distances: Tensor, rows: Tensor) -> dict[str, Any]:
        """What the report shows beside the share; of the samples the distances (n, 2) and the training rows (n, 2)."""
        closest = distances[:, 0].argsort()[:16].tolist()
        return {"pairs": [[i, int(rows[i, 0]), float(distances[i, 0])] for i in closest]}

    def _copied(self, distances: Tensor) -> NDArray[np.float32]:
        """(n,) 1 for a copy, else 0."""
        found: NDArray[np.float32] = (distances[:, 0] < self.ratio * distances[:, 1]).float().numpy()
        return found
