"""Texts that are unlike all the others and share a word that the others lack: what somebody may have planted.

A few hundred documents of a phrase followed by gibberish are enough for a model of any size to answer that phrase with
gibberish (Souly et al. 2025, "Poisoning attacks on LLMs require a near-constant number of poison samples").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import Tokens
from genwright.data.dataset import Dataset
from genwright.data.modalities.base import Modality
from genwright.evaluation.memo import Memo
from genwright.evaluation.ngrams import NGrams

MOST = 4_000_000  # training tokens that are looked at
WINDOW = 64  # tokens; a text is as strange as its strangest piece of this length
STRANGE = 4.0  # robust standard deviations from the median
FEWEST = 10  # texts
OWN = 0.8  # share of the texts with a word that are strange, which makes it theirs

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Planted:
    """`rows` are training items, the strangest first; `elsewhere` how many other texts have the `words` that they share."""

    words: list[str]
    rows: list[int]
    elsewhere: int


def planted(dataset: Dataset, memo: Memo) -> Planted | None:
    """The largest group of such training texts; None where there is none, or what is made is no text."""
    texts, makes = dataset.train.texts, dataset.makes
    if texts is None or not isinstance(makes, Tokens) or texts.offsets is None:
        return None
    rows = dataset.train.subset(len(dataset.train))
    rows = rows[: int(np.searchsorted(np.cumsum(np.diff(texts.offsets)[rows]), MOST)) + 1]
    if len(rows) < 2 * FEWEST:
        return None
    modality = dataset.modalities[dataset.contents.content]

    def take() -> dict[str, Tensor]:
        return {"bits": _costs([texts.tokens(int(row)) for row in rows], makes.vocab, modality)}

    costs = memo.tensors("poisoning", take)["bits"]
    deviation = 1.4826 * float((costs - costs.median()).abs().median())
    strange = costs > costs.median() + STRANGE * max(deviation, 1e-3)
    if int(strange.sum()) < FEWEST:
        return None
    said = [(bool(odd), _words(modality, texts.tokens(int(row)))) for row, odd in zip(rows, strange, strict=True)]
    return _shared(rows.tolist(), costs, said)


def _costs(texts: list[Integers], vocab: int, modality: Modality) -> Tensor:
    """(n,) bits that a byte of the strangest window of each text costs a model that learned from the other half of them."""
    costs = torch.zeros(len(texts))
    for half in (0, 1):
        grams = NGrams(texts[1 - half :: 2], vocab)
        costs[half::2] = torch.tensor([max(_windows(text, grams.bits(text), modality)) for text in texts[half::2]])
    return costs


def _windows(tokens: Integers, bits: NDArray[np.float64], modality: Modality) -> Iterator[float]:
    """Bits a byte of the windows of a text; the last one reaches back, so that none is short but that of a short text."""
    for start in (*range(0, max(0, len(tokens) - WINDOW), WINDOW), max(0, len(tokens) - WINDOW)):
        own = slice(start, start + WINDOW)
        yield float(bits[own].sum()) / max(1, len(str(modality.decode(tokens[own])).encode()))


def _words(modality: Modality, tokens: Integers) -> set[str]:
    return set(str(modality.decode(tokens)).split())


def _shared(rows: list[int], costs: Tensor, said: list[tuple[bool, set[str]]]) -> Planted | None:
    """What most strange texts share and is theirs."""
    among = Counter(word for odd, words in said if odd for word in words)
    likely = {word for word, count in among.items() if count >= FEWEST}
    others = Counter(word for odd, words in said if not odd for word in words & likely)
    own = {word: (among[word], -others[word]) for word in likely if among[word] >= OWN * (among[word] + others[word])}
    if not own:
        return None
    best = max(own.values())
    words = sorted(word for word in own if own[word] == best)
    having = [place for place, (odd, has) in enumerate(said) if odd and words[0] in has]
    having.sort(key=lambda place: -float(costs[place]))
    return Planted(words, [rows[place] for place in having], -best[1])
