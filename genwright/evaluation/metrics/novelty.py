"""Are the samples new, or leaning on training items?"""

from __future__ import annotations

from genwright.core.shapes import Signal, Signature
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.neighbours import of_held_out, of_samples
from genwright.evaluation.records import Measured


@metrics.register
class Novelty(Metric):
    """Median distance of samples to their nearest training item, over that of held-out items to theirs. It sees copies;
    whatever is like no item at all is as new as can be."""

    name = "novelty"
    better = "higher"
    explain = "1 when samples are as far from the training items as real unseen items are; well below 1 means copying."

    sign = "memorised"
    sees = ("copies", "changed copies", "ten repeated")
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return None if isinstance(signature.makes, Signal) else "compares arrays"

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        if measured.high >= 0.7:
            return None
        return f"samples lie {measured.value:.2f} times as far from training items as unseen items do"

    def measure(self, evaluand: Evaluand) -> Measured:
        samples = of_samples(evaluand)[0][:, 0]
        real = float(of_held_out(evaluand)[:, 0].median())
        distances = samples.numpy()
        value = float(samples.median()) / max(real, 1e-9)

        def statistic(indices: object) -> float:
            picked = distances[indices]  # type: ignore[call-overload]
            picked.sort()
            return float(picked[(len(picked) - 1) // 2]) / max(real, 1e-9)

        low, high = bootstrap(len(distances), statistic, seed=evaluand.seed)
        detail = {"samples": float(samples.median()), "held_out": real}
        return Measured(value=value, low=low, high=high, n=len(distances), floor=1.0, naive=0.0, detail=detail)
