"""The longest passages that sequences share with a body of text, found in time linear in both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import BOS, EOS, PAD
from genwright.data.feed import Side


@dataclass(frozen=True)
class Passage:
    """`length` tokens of a sequence, from `start`, that stand in item `item` of the body; item -1 when length is 0."""

    start: int
    length: int
    item: int


class Automaton:
    """The suffix automaton of some sequences (Blumer et al. 1985): a state for every set of substrings that end in the same
    places. It grows with the sequences; the body it is compared with is only passed through."""

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        self._next: list[dict[int, int]] = [{}]
        self._link, self._length = [-1], [0]
        self._sequences = sequences
        self._ends = [self._add(sequence) for sequence in sequences]

    def _add(self, sequence: Sequence[int]) -> list[int]:
        """Take in one sequence; returns its state after each token."""
        last, states = 0, []
        for token in sequence:
            last = self._extend(last, token)
            states.append(last)
        return states

    def _extend(self, last: int, token: int) -> int:
        following = self._next[last].get(token)
        if following is not None:  # another sequence has been here
            whole = self._length[following] == self._length[last] + 1
            return following if whole else self._split(last, token, following)
        state = self._new(self._length[last] + 1, {})
        at = last
        while at >= 0 and token not in self._next[at]:
            self._next[at][token] = state
            at = self._link[at]
        if at < 0:
            self._link[state] = 0
            return state
        following = self._next[at][token]
        whole = self._length[following] == self._length[at] + 1
        self._link[state] = following if whole else self._split(at, token, following)
        return state

    def _split(self, at: int, token: int, following: int) -> int:
        """The state of `following`'s substrings no longer than what `at` and `token` make."""
        state = self._new(self._length[at] + 1, dict(self._next[following]))
        self._link[state] = self._link[following]
        self._link[following] = state
        while at >= 0 and self._next[at].get(token) == following:
            self._next[at][token] = state
            at = self._link[at]
        return state

    def _new(self, length: int, edges: dict[int, int]) -> int:
        self._next.append(edges)
        self._link.append(0)
        self._length.append(length)
        return len(self._next) - 1

    def longest(self, body: Iterable[Sequence[int]]) -> list[Passage]:
        """For each sequence the longest passage it shares with one item of the body."""
        reached, where = self._pass(body)
        by_length = sorted(range(1, len(self._next)), key=self._length.__getitem__)
        for state in reversed(by_length):  # where a substring stands, its suffixes stand
            link = self._link[state]
            if reached[state]:
                reached[link], where[link] = self._length[link], where[state]
        for state in by_length:  # what is not shared itself shares its longest shared suffix
            if not reached[state]:
                reached[state], where[state] = reached[self._link[state]], where[self._link[state]]
        found = []
        for states in self._ends:
            best = Passage(0, 0, -1)
            for end, state in enumerate(states):
                if reached[state] > best.length:
                    best = Passage(end + 1 - reached[state], reached[state], where[state])
            found.append(best)
        return found

    def _pass(self, body: Iterable[Sequence[int]]) -> tuple[list[int], list[int]]:
        """The longest substring of each state that the body holds, and the item that holds it."""
        edges, link, lengths = self._next, self._link, self._length
        reached, where = [0] * len(edges), [-1] * len(edges)
        for item, sequence in enumerate(body):
            state = length = 0
            for token in sequence:
                following = edges[state].get(token)
                while following is None and state:
                    state = link[state]
                    length = lengths[state]
                    following = edges[state].get(token)
                if following is None:
                    continue
                state, length = following, length + 1
                if length > reached[state]:
                    reached[state], where[state] = length, item
        return reached, where


def written(rows: Tensor) -> list[NDArray[np.int64]]:
    """The tokens of samples (n, length), without those that only begin, end and fill."""
    return [row[~np.isin(row, (PAD, BOS, EOS))] for row in rows.numpy()]


def excerpts(split: Side, lengths: Sequence[int]) -> list[list[int]]:
    """Pieces of a split's items with up to these numbers of tokens, none twice: the items' beginnings in a random order, then
    what follows those. Fewer than asked for where the items are used up."""
    return [piece[:length] for piece, length in zip(_pieces(split, max([1, *lengths])), lengths, strict=False)]


def _pieces(split: Side, size: int) -> Iterator[list[int]]:
    assert split.texts is not None
    items = [split.texts.tokens(int(row)) for row in split.subset(len(split))]
    for start in range(0, max(map(len, items), default=0), size):
        yield from (tokens[start : start + size].tolist() for tokens in items if len(tokens) > start)
