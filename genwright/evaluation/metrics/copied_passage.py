"""Do generated texts repeat training texts word for word?"""

from __future__ import annotations

from typing import Any

import numpy as np

from genwright.core.shapes import Signature, Tokens
from genwright.data.modalities.base import Modality, decode
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.passages import Automaton, Passage, excerpts
from genwright.evaluation.records import Measured

MOST = 256  # samples, and held-out items
SHARE = 95  # percentile


@metrics.register
class CopiedPassage(Metric):
    """The longest passage of a sample that stands in one training item, in characters: exceeded by one sample in twenty.

    `floor` is the same of pieces of held-out items, cut to the samples' lengths, `naive` that of training items: all of
    them. Compared token by token, after encoding the samples' text anew. `detail` names the longest passage of all: its
    text, length, sample and training item (row and SHA-256).
    """

    name = "copied_passage"
    better = "lower"
    explain = "How many characters in a row the samples repeat from the training texts; unseen real texts do so too."

    sign = "memorised"
    sees = ("ten repeated", "copies")
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return None if isinstance(signature.makes, Tokens) else "compares sequences"

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        if measured.floor is None or measured.low <= 3 * measured.floor + 200:
            return None
        return f"samples repeat {measured.value:.0f} characters of training text in one piece, unseen text {measured.floor:.0f}"

    def measure(self, evaluand: Evaluand) -> Measured:
        modality, train = evaluand.content, evaluand.dataset.train
        texts_made = decode(modality, evaluand.samples[:MOST])
        samples, lengths = [_tokens(modality, text) for text in texts_made], [len(text) for text in texts_made]
        held_out = excerpts(evaluand.held_out, [len(s) for s in samples])
        automaton, texts = Automaton([*samples, *held_out]), train.texts
        assert texts is not None
        passages = automaton.longest(texts.tokens(i).tolist() for i in range(len(texts)))
        shared = [
            modality.decode(np.array(tokens[p.start : p.start + p.length], dtype=np.int64))
            for tokens, p in zip([*samples, *held_out], passages, strict=True)
        ]
        sizes = np.array([len(text) for text in shared], dtype=np.float64)
        own, real = sizes[: len(samples)], sizes[len(samples) :]
        value = float(np.percentile(own, SHARE))
        low, high = bootstrap(len(own), lambda i: float(np.percentile(own[i], SHARE)), seed=evaluand.seed)
        worst = int(own.argmax())
        return Measured(
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=len(own),
            floor=float(np.percentile(real, SHARE)),
            naive=max(float(np.percentile(lengths, SHARE)), 1.0),
            detail=_named(evaluand, worst, shared[worst], passages[worst]),
        )


def _tokens(modality: Modality, text: str) -> list[int]:
    array = modality.encode(text)
    return [] if array is None else array.tolist()


def _named(evaluand: Evaluand, sample: int, text: str, passage: Passage) -> dict[str, Any]:
    if passage.item < 0:
        return {}
    digest = evaluand.dataset.train.digests[passage.item, 0].decode()
    return {"text": text, "characters": len(text), "sample": sample, "row": passage.item, "sha256": digest}
