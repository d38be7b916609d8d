"""Samples that are no achievement, to try measures with: each measure says which of them it sees, and is held to it.

`real` is not one of them: validation items, which a measure has to find better than every fraud it sees. A measure that
somebody adds is tried the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from genwright.core.shapes import BOS, EOS, PAD, Signal, Tokens
from genwright.data.feed import Side
from genwright.evaluation import classifier, naive
from genwright.evaluation.evaluand import Evaluand

REAL = "real"
TEN = 10
TONE = 1.5  # exponent of the brightness of a copy whose tones were changed
CHANGED = 0.05  # of the range, that a changed copy of a picture differs by
CHANGED_WORDS = 0.02  # share of the words of a text

Fraud = Callable[["Material"], Tensor | None]
"""Samples, or None where these data give none of the kind."""


class Material:
    """What frauds are made of: training items, and validation items that are of the class that each sample is asked for."""

    def __init__(self, evaluand: Evaluand, other: Tensor | None = None) -> None:
        self.evaluand, self.other = evaluand, other
        self.random = np.random.default_rng(0)
        self.train, self.unseen = evaluand.dataset.train, evaluand.dataset.validation

    @property
    def n(self) -> int:
        return self.evaluand.count

    def some(self, side: Side) -> NDArray[np.intp]:
        """(n,) rows of a side, of the class that each sample is asked for where one is."""
        label = self.evaluand.label
        if label is None or label not in side.columns:
            return np.resize(self.random.permutation(len(side)), self.n)
        kinds, asked = classifier.labels(self.evaluand.dataset, side), self.evaluand.given[label].value.numpy()
        rows = np.zeros(self.n, dtype=np.intp)
        for kind in np.unique(asked):
            there = np.flatnonzero(kinds == kind)
            there = there if len(there) else np.arange(len(side))
            places = np.flatnonzero(asked == kind)
            rows[places] = np.resize(self.random.permutation(there), len(places))
        return rows

    def contents(self, side: Side) -> Tensor:
        """(n, ...) items of a side."""
        return side.contents(self.some(side))

    def sequences(self, side: Side) -> list[NDArray[np.int64]]:
        """Pieces of n items of a side that a model of this length could have written."""
        assert side.texts is not None
        assert isinstance(self.evaluand.signature.makes, Tokens)
        most = self.evaluand.signature.makes.length - 2
        return [side.texts.tokens(int(row))[:most] for row in self.some(side)]

    def rows(self, sequences: list[NDArray[np.int64]]) -> Tensor:
        """(n, length) as samples come: ended, and filled."""
        assert isinstance(self.evaluand.signature.makes, Tokens)
        length = self.evaluand.signature.makes.length
        found = torch.full((len(sequences), length), PAD)
        for row, tokens in zip(found, sequences, strict=True):
            cut = torch.from_numpy(np.asarray(tokens[: length - 1], dtype=np.int64))
            row[: len(cut)], row[len(cut)] = cut, EOS
        return found

    @property
    def commonest(self) -> NDArray[np.intp] | None:
        """Training rows of the commonest class; None where items have none."""
        dataset = self.evaluand.dataset
        if dataset.contents.label is None:
            return None
        kinds = classifier.labels(dataset, self.train)
        return np.asarray(np.flatnonzero(kinds == np.bincount(kinds[kinds != classifier.NONE]).argmax()))

    @property
    def right(self) -> list[NDArray[np.int64]]:
        """The right answer of each sample, where texts answer others."""
        side = self.evaluand.held_out
        assert side.texts is not None
        return [side.texts.tokens(int(row)) for row in self.evaluand.rows]


def other(m: Material) -> Tensor | None:
    """Items of other data."""
    return None if m.other is None else m.other[np.resize(np.arange(len(m.other)), m.n)]


def pictures() -> dict[str, Fraud]:
    """Frauds of arrays, by name."""

    def one_class(m: Material) -> Tensor | None:
        rows = m.commonest
        return None if rows is None else m.train.contents(np.resize(rows, m.n))

    def another_kind(m: Material) -> Tensor | None:
        if m.evaluand.label is None:
            return None
        return m.contents(m.unseen).roll(1, dims=0)  # labels are asked for in turn

    def changed(m: Material) -> Tensor:
        items = m.contents(m.train)
        return (items + 2 * CHANGED * torch.randn(items.shape, generator=torch.Generator().manual_seed(1))).clamp(-1, 1)

    return {
        "mean": lambda m: naive.mean(m.train, m.n),
        "noise": lambda m: naive.noise(m.train, m.n),
        "static": lambda m: naive.static(m.train, m.n),
        "normal": lambda m: naive.normal(m.train, m.n),
        "faded": lambda m: m.contents(m.unseen) / 2,
        "blurred": lambda m: blurred(m.contents(m.unseen)),
        "blended": lambda m: (m.contents(m.train) + m.contents(m.train)) / 2,  # of the class that is asked for
        "one class": one_class,
        "another kind": another_kind,
        "ten repeated": lambda m: m.train.contents(np.resize(m.some(m.train)[:TEN], m.n)),
        "copies": lambda m: m.contents(m.train),
        "changed copies": changed,
        "mirrored copies": lambda m: m.contents(m.train).flip(-1),
        "toned copies": lambda m: 2 * ((m.contents(m.train) + 1) / 2).clamp(0, 1) ** TONE - 1,
        "other data": other,
    }


def sequences() -> dict[str, Fraud]:
    """Frauds of sequences, by name."""

    def vocab(m: Material) -> int:
        assert isinstance(m.evaluand.signature.makes, Tokens)
        return m.evaluand.signature.makes.vocab

    def another_kind(m: Material) -> Tensor | None:
        if m.evaluand.label is None:
            return None
        written = m.sequences(m.unseen)
        return m.rows([*written[1:], written[0]])  # labels are asked for in turn

    def changed(tokens: NDArray[np.int64], m: Material) -> NDArray[np.int64]:
        other = m.random.integers(EOS + 1, vocab(m), len(tokens))
        return np.where(m.random.random(len(tokens)) < CHANGED_WORDS, other, tokens)

    def one_class(m: Material) -> Tensor | None:
        rows = m.commonest
        if rows is None:
            return None
        assert m.train.texts is not None
        return m.rows([m.train.texts.tokens(int(row)) for row in np.resize(rows, m.n)])

    return {
        "noise": lambda m: m.rows([m.random.integers(EOS + 1, vocab(m), len(s)) for s in m.sequences(m.unseen)]),
        "shuffled words": lambda m: m.rows([m.random.permutation(s) for s in m.sequences(m.unseen)]),
        "word salad": lambda m: m.rows(salad(m)),
        "one class": one_class,
        "another kind": another_kind,
        "ten repeated": lambda m: m.rows((m.sequences(m.train)[:TEN] * (1 + m.n // TEN))[: m.n]),
        "copies": lambda m: m.rows(m.sequences(m.train)),
        "changed copies": lambda m: m.rows([changed(s, m) for s in m.sequences(m.train)]),
        "other data": other,
    }


def answers() -> dict[str, Fraud]:
    """Frauds of texts that answer others, besides those of sequences."""
    return {
        "answers to other questions": lambda m: m.rows([*m.right[1:], m.right[0]]),
        "shuffled answers": lambda m: m.rows([m.random.permutation(s) for s in m.right]),
    }


def blurred(items: Tensor) -> Tensor:
    """Each value the mean of the 3 x 3 around it."""
    channels = items.shape[1]
    weight = torch.full((channels, 1, 3, 3), 1 / 9)
    return F.conv2d(F.pad(items, (1, 1, 1, 1), mode="replicate"), weight, groups=channels)


def salad(m: Material) -> list[NDArray[np.int64]]:
    """What a model of the last two tokens writes: each follows the two before it somewhere in the training items."""
    followers: dict[tuple[int, ...], list[int]] = {}
    for tokens in m.sequences(m.train):
        stream = [BOS, BOS, *tokens.tolist(), EOS]
        for place in range(2, len(stream)):
            followers.setdefault(tuple(stream[place - 2 : place]), []).append(stream[place])
    written = list[NDArray[np.int64]]()
    for like in m.sequences(m.unseen):
        text, before = list[int](), (BOS, BOS)
        while len(text) < len(like):
            following = followers[before][m.random.integers(len(followers[before]))]
            before = (BOS, BOS) if following == EOS else (before[1], following)
            if following != EOS:
                text.append(following)
        written.append(np.array(text, dtype=np.int64))
    return written


def tried(evaluand: Evaluand, other: Tensor | None = None) -> Iterator[tuple[str, Evaluand]]:
    """Real items, then every fraud that can be made of these data, as if a model had drawn them. `other`: items of other data
    in the same shape."""
    # No real item twice: what is repeated is a fraud.
    evaluand = replace(evaluand, count=min(evaluand.count, len(evaluand.dataset.validation)))
    makes, material = evaluand.signature.makes, Material(evaluand, other)
    found: dict[str, Fraud]
    if isinstance(makes, Signal):
        found = {REAL: lambda m: m.contents(m.unseen), **pictures()}
    elif evaluand.signature.one(Tokens) is not None:
        found = {REAL: lambda m: m.rows(m.right), **sequences(), **answers()}
    else:
        found = {REAL: lambda m: m.rows(m.sequences(m.unseen)), **sequences()}
    for name, make in found.items():
        samples = make(material)
        if samples is not None:
            yield name, replace(evaluand, draw=lambda asks, samples=samples: samples[: len(asks)], model=None)  # type: ignore[misc]
