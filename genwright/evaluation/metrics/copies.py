"""Is a sample a copy of one training item?"""

from __future__ import annotations

from genwright.core.shapes import Signal, Signature
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.neighbours import MOST, twins
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
        if measured.low <= (measured.floor or 0.0) + 0.02:
            return None
        return f"{measured.value:.1%} of the samples are all but copies of a training item"

    def measure(self, evaluand: Evaluand) -> Measured:
        assert isinstance(evaluand.signature.makes, Signal)
        side, train, dims = evaluand.held_out, evaluand.dataset.train, evaluand.signature.makes.dims
        distances, rows = twins(evaluand.samples[:MOST], train, dims)
        real = evaluand.data.tensors(
            f"{side.name} twins", lambda: {"distances": twins(side.contents(side.subset(MOST)), train, dims)[0]}
        )["distances"]
        copied = (distances[:, 0] < RATIO * distances[:, 1]).float().numpy()
        closest = distances[:, 0].argsort()[:16].tolist()
        low, high = bootstrap(len(copied), lambda i: float(copied[i].mean()), seed=evaluand.seed)
        return Measured(
            value=float(copied.mean()),
            low=low,
            high=high,
            n=len(copied),
            floor=float((real[:, 0] < RATIO * real[:, 1]).float().mean()),
            naive=1.0,
            detail={"pairs": [[i, int(rows[i, 0]), float(distances[i, 0])] for i in closest]},
        )
