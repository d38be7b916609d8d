"""Is the model better than looking the answer up?"""

from __future__ import annotations

from genwright.core.shapes import Signature
from genwright.evaluation import translation
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, metrics
from genwright.evaluation.records import Measured


@metrics.register
class ChrfGain(Metric):
    """chrF of the model's answers less that of the answers beside the nearest training conditions, on the same items."""

    name = "chrf_gain"
    better = "higher"
    sees = ("noise", "shuffled words", "answers to other questions", "shuffled answers")
    explain = (
        "By how many points of chrF the model beats copying the answer of the most similar training item; above 0 it does."
    )

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return translation.suits(signature)

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return None if len(evaluand.dataset.train) else "there are no training items to look answers up in"

    def measure(self, evaluand: Evaluand) -> Measured:
        answers = translation.answers(evaluand)
        own, looked_up = (translation.Chrf(given, answers.right) for given in (answers.model, answers.nearest))
        value, low, high = translation.interval(own, looked_up, evaluand.seed)
        detail = {"model": own(), "nearest": looked_up()}
        return Measured(value=value, low=low, high=high, n=len(own), detail=detail)
