"""Beam search: several hypotheses of a row, in as many slots."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from genwright.core.shapes import EOS, PAD


class Beams:
    """What is known of the hypotheses in all slots. They are ranked by log probability over length to the power of a
    penalty (Wu et al. 2016)."""

    def __init__(self, slots: int, length: int, device: torch.device) -> None:
        self._scores = torch.zeros(slots, device=device)
        self._sizes = torch.zeros(slots, dtype=torch.int64, device=device)
        self._ended = torch.zeros(slots, dtype=torch.bool, device=device)
        self._weights = torch.ones(slots, length + 1, device=device)  # what a score is divided by, for every size

    def begin(self, slots: Sequence[int], penalty: float) -> None:
        """A new row in these slots."""
        for number, slot in enumerate(slots):
            # All begin equal, so only one of them counts at first.
            self._scores[slot] = -torch.inf if number else 0.0
        at = torch.tensor(slots, device=self._sizes.device)
        self._sizes[at], self._ended[at] = 0, False
        weights = [max(1, size) ** penalty for size in range(self._weights.shape[1])]
        self._weights[at] = torch.tensor(weights, device=self._weights.device)

    def step(self, logits: Tensor, slots: Tensor) -> tuple[Tensor, Tensor]:
        """The best continuations of rows in slots (g, k), given logits (slots, vocab) that never allow PAD: the slots (g, k)
        they go on from, and their next tokens (g, k), PAD where they have ended."""
        flat, vocab = slots.flatten(), logits.shape[1]
        ended = self._ended[flat]
        gains = F.log_softmax(logits[flat], dim=1).masked_fill(ended[:, None], -torch.inf)
        gains[:, PAD].masked_fill_(ended, 0.0)  # a hypothesis that has ended keeps its place and its score
        sizes = self._sizes[flat] + ~ended
        totals = self._scores[flat][:, None] + gains
        ranks = totals / self._weights[flat, sizes][:, None]
        best = ranks.view(len(slots), -1).topk(slots.shape[1], dim=1).indices
        place, token = best // vocab, best % vocab
        self._scores[flat] = totals.view(len(slots), -1).gather(1, best).flatten()
        self._sizes[flat] = sizes.view_as(slots).gather(1, place).flatten()
        self._ended[flat] = (ended.view_as(slots).gather(1, place) | (token == EOS)).flatten()
        return slots.gather(1, place), token

    def ended(self, slots: Tensor) -> list[bool]:
        """Whether all hypotheses of a row have ended, for rows in slots (g, k)."""
        return self._ended[slots].all(dim=1).tolist()

    def best(self, slots: Sequence[int]) -> int:
        """The slot of the best of a row's hypotheses."""
        at = torch.tensor(slots, device=self._sizes.device)
        return slots[int((self._scores[at] / self._weights[at, self._sizes[at]]).argmax())]
