"""Writing sequences token by token: sampling and beam search."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from genwright.core.errors import ModelError
from genwright.core.shapes import BOS, EOS, PAD

Step = Callable[[Tensor], Tensor]
"""(n, m) tokens that follow those given before -> (n, vocab) logits of the token after them."""


def begin(n: int, prefix: Tensor | None, length: int, device: torch.device) -> Tensor:
    """(n, 1 + m) BOS and the prefix. Raises ModelError when the prefix leaves no room for a token."""
    start = torch.full((n, 1), BOS, dtype=torch.int64, device=device)
    if prefix is None:
        return start
    if prefix.shape[1] >= length:
        raise ModelError(
            "The prompt is too long for this model.", got=f"{prefix.shape[1]} tokens", allowed=f"up to {length - 1} tokens"
        )
    return torch.cat([start, prefix.to(device)], dim=1)


def sample(step: Step, start: Tensor, length: int, *, temperature: float, top_k: int, top_p: float) -> Tensor:
    """(n, length) tokens after BOS, each drawn from the model's distribution, ended by EOS and padded.

    `temperature` 0 takes the likeliest. `top_k` (0: all) and `top_p` keep the likeliest tokens only (nucleus sampling:
    Holtzman et al. 2020).
    """
    rows = torch.full((len(start), length), PAD, dtype=torch.int64, device=start.device)
    at = start.shape[1] - 1
    rows[:, :at] = start[:, 1:]
    done = torch.zeros(len(start), dtype=torch.bool, device=start.device)
    given = start
    while at < length and not bool(done.all()):
        chosen = _draw(_possible(step(given)), temperature, top_k, top_p).masked_fill(done, PAD)
        rows[:, at] = chosen
        done |= chosen == EOS
        given, at = chosen[:, None], at + 1
    return rows


def beam(step: Step, reorder: Callable[[Tensor], None], start: Tensor, length: int, *, beams: int, penalty: float) -> Tensor:
    """(n, length) the best of `beams` hypotheses a row, by log probability over length to the power `penalty` (Wu et al.
    2016). `start` has n * beams rows, those of one item together; `reorder` tells the model which row goes on where."""
    n, device = len(start) // beams, start.device
    rows = torch.full((n * beams, length), PAD, dtype=torch.int64, device=device)
    at = start.shape[1] - 1
    rows[:, :at] = start[:, 1:]
    scores = torch.full((n, beams), -torch.inf, device=device)
    scores[:, 0] = 0.0  # the rows of an item begin equal: only one of them counts
    sizes = torch.zeros(n * beams, device=device)
    done = torch.zeros(n * beams, dtype=torch.bool, device=device)
    given = start
    while at < length and not bool(done.all()):
        gains = F.log_softmax(_possible(step(given)), dim=1)
        gains[done] = -torch.inf
        gains[done, PAD] = 0.0  # a finished hypothesis keeps its place and its score
        sizes += (~done).float()
        totals = scores.view(-1, 1) + gains
        ranks = (totals / sizes.clamp_min(1)[:, None] ** penalty).view(n, -1)
        best = ranks.topk(beams, dim=1).indices
        scores = totals.view(n, -1).gather(1, best)
        source = (torch.arange(n, device=device)[:, None] * beams + best // gains.shape[1]).flatten()
        chosen = (best % gains.shape[1]).flatten()
        rows, done, sizes = rows[source], done[source] | (chosen == EOS), sizes[source]
        rows[:, at] = chosen
        reorder(source)
        given, at = chosen[:, None], at + 1
    final = scores / sizes.view(n, beams).clamp_min(1) ** penalty
    return rows.view(n, beams, length)[torch.arange(n, device=device), final.argmax(dim=1)]


def _possible(logits: Tensor) -> Tensor:
    """Logits in float32 without the tokens that are never written."""
    logits = logits.float()
    logits[:, [PAD, BOS]] = -torch.inf
    return logits


def _draw(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    if temperature == 0:
        return logits.argmax(dim=1)
    logits = logits / temperature
    if top_k:
        lowest = logits.topk(min(top_k, logits.shape[1]), dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < lowest, -torch.inf)
    chances = logits.softmax(dim=1)
    if top_p < 1:
        ordered, places = chances.sort(dim=1, descending=True)
        before = ordered.cumsum(dim=1) - ordered
        chances = torch.zeros_like(chances).scatter(1, places, ordered.masked_fill(before >= top_p, 0.0))
    return torch.multinomial(chances, 1).squeeze(1)
