"""Answers to held-out conditions, what the right answers are, and what looking up the nearest training item would answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core.shapes import Signature, Tokens
from genwright.data.columns import Column, Integers
from genwright.data.modalities.base import Modality, decode
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import bootstrap


@dataclass(frozen=True)
class Answers:
    """Texts in the order of the held-out items in `rows`: of the model, of the data, and of the nearest training item."""

    rows: Integers
    model: list[str]
    right: list[str]
    nearest: list[str]


def suits(signature: Signature) -> str | None:
    """None, or why there is nothing to answer."""
    if isinstance(signature.makes, Tokens) and signature.one(Tokens) is not None:
        return None
    return "compares answers to texts with the right ones"


def answers(evaluand: Evaluand) -> Answers:
    """The answers to `count` held-out texts."""
    return evaluand.once("answers", lambda: _answers(evaluand))


def _answers(evaluand: Evaluand) -> Answers:
    split, train = evaluand.held_out, evaluand.dataset.train
    asked = evaluand.signature.one(Tokens)
    assert asked is not None
    assert split.texts is not None
    assert train.texts is not None
    content, reader = evaluand.content, evaluand.dataset.modalities[asked]
    rows = split.subset(evaluand.count)
    known, questions = (_texts(reader, side.columns[asked], of) for side, of in ((train, range(len(train))), (split, rows)))
    found = _nearest(known, questions)
    return Answers(
        rows=rows,
        model=decode(content, evaluand.samples[: len(rows)]),
        right=_texts(content, split.texts, rows),
        nearest=_texts(content, train.texts, found.tolist()),
    )


def _texts(modality: Modality, column: Column, rows: Any) -> list[str]:
    return [modality.decode(column.tokens(int(i))) for i in rows]


def _nearest(known: list[str], asked: list[str]) -> NDArray[np.intp]:
    """The row of the known text nearest to each asked one, by cosine of TF-IDF weights of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    weights = TfidfVectorizer(token_pattern=r"(?u)\w+", dtype=np.float32)
    there = weights.fit_transform([text or "." for text in known]) if any(map(_words, known)) else None
    if there is None:
        return np.zeros(len(asked), dtype=np.intp)
    likeness = weights.transform(asked) @ there.T
    return np.asarray(likeness.argmax(axis=1)).ravel()


def _words(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


class Chrf:
    """chrF (Popovic 2015) of answers, with the counts kept item by item so that resampling does not count anew."""

    def __init__(self, given: list[str], right: list[str]) -> None:
        from sacrebleu.metrics.chrf import CHRF

        self._metric = CHRF()
        self._counts = np.array(self._metric._extract_corpus_statistics(given, [right]), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._counts)

    def __call__(self, rows: NDArray[np.intp] | None = None) -> float:
        """The score, from 0 to 100, of all items or of a resample of them."""
        counts = self._counts if rows is None else self._counts[rows]
        return float(self._metric._compute_score_from_stats(counts.sum(axis=0).tolist()).score)


def interval(score: Chrf, other: Chrf | None, seed: int) -> tuple[float, float, float]:
    """A score, or its lead over another on the same items, with its interval under paired resampling."""

    def statistic(rows: NDArray[np.intp] | None) -> float:
        return score(rows) - (other(rows) if other is not None else 0.0)

    value = statistic(None)
    low, high = bootstrap(len(score), statistic, seed=seed)
    return value, min(low, value), max(high, value)
