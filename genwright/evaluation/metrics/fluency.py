"""Are the samples as predictable as real texts: neither a salad of words nor the same phrases again and again?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genwright.core.shapes import Signature, Tokens
from genwright.evaluation import ngrams
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.passages import excerpts, written
from genwright.evaluation.records import Measured

MOST = 512  # samples


@metrics.register
class Fluency(Metric):
    """Bits that a token costs under a model of the last three tokens, learned from the training items: those of samples over
    those of pieces of held-out items cut to the same lengths, or the other way round, whichever is below 1.

    Shuffled words and noise cost too much; copies, repetition, and what such a model would write itself cost too little. It
    does not see whether a text has a thread, nor which kinds of text there are.
    """

    name = "fluency"
    better = "higher"
    explain = "1 when the samples are as predictable as real unseen texts; lower for word salad, and for stock phrases."

    sees = ("noise", "shuffled words", "word salad", "ten repeated", "copies", "changed copies")
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return None if isinstance(signature.makes, Tokens) else "reads sequences"

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return None if len(evaluand.dataset.train) else "there are no training items to learn phrases from"

    def measure(self, evaluand: Evaluand) -> Measured:
        samples = written(evaluand.samples[:MOST])
        held_out = [np.asarray(piece, dtype=np.int64) for piece in excerpts(evaluand.held_out, [len(s) for s in samples])]
        samples = samples[: len(held_out)]
        grams = ngrams.learned(evaluand)
        costs = [np.array([grams.bits(text)[:-1].sum() for text in texts]) for texts in (samples, held_out)]
        sizes = [np.array([len(text) for text in texts], dtype=np.float64) for texts in (samples, held_out)]

        def ratio(places: NDArray[np.intp]) -> float:
            own, real = (cost[places].sum() / max(1.0, size[places].sum()) for cost, size in zip(costs, sizes, strict=True))
            return float(min(own / real, real / own)) if own > 0 and real > 0 else 0.0

        every = np.arange(len(samples))
        value = ratio(every)
        low, high = bootstrap(len(every), ratio, seed=evaluand.seed)
        per_token = {
            name: float(c.sum() / max(1.0, s.sum())) for name, c, s in zip(("samples", "held_out"), costs, sizes, strict=True)
        }
        return Measured(
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=len(every),
            floor=1.0,
            naive=0.0,
            detail=per_token,
        )
