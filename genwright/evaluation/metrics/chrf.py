"""How near are answers to the right ones, letter by letter?"""

from __future__ import annotations

from genwright.core.shapes import Signature
from genwright.evaluation import translation
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.groups import of_each
from genwright.evaluation.metrics.base import Metric, metrics
from genwright.evaluation.records import Measured

SHOWN = 16  # answers in the report


@metrics.register
class Chrf(Metric):
    """chrF of the answers to held-out conditions (Popovic 2015, as in sacrebleu), 0 to 100.

    `detail.baseline` is the chrF of answering with what stands beside the nearest training condition (TF-IDF);
    `detail.answers` shows the first (answer, right answer) pairs.
    """

    name = "chrf"
    better = "higher"
    sees = ("noise", "shuffled words", "answers to other questions", "shuffled answers")
    compared = True
    explain = "How much of the right answer's wording the model finds, letter by letter, from 0 to 100."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return translation.suits(signature)

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return None if len(evaluand.dataset.train) else "there are no training items to look answers up in"

    def measure(self, evaluand: Evaluand) -> Measured:
        answers = translation.answers(evaluand)
        score = translation.Chrf(answers.model, answers.right)
        value, low, high = translation.interval(score, None, evaluand.seed)
        groups = of_each(evaluand.groups(answers.rows), score)
        baseline = translation.Chrf(answers.nearest, answers.right)()
        pairs = list(map(list, zip(answers.model[:SHOWN], answers.right[:SHOWN], strict=True)))
        detail = {"baseline": baseline, "answers": pairs}
        return Measured(
            value=value, low=low, high=high, n=len(score), naive=baseline, perfect=100.0, groups=groups, detail=detail
        )
