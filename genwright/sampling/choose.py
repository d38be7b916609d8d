"""Choosing a token of a model's distribution, by a number that is given."""

from __future__ import annotations

import torch
from torch import Tensor

FEW = 256  # tokens among which the nucleus is looked for first, before all are put in order


def choose(logits: Tensor, uniform: Tensor, temperature: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    """(n,) a token of each row of logits (n, vocab), each by its own way (n,), which are on the CPU.

    `uniform` in [0, 1) says which, by the inverse of the cumulative distribution. `temperature` 0 takes the likeliest.
    `top_k` (0: all) and `top_p` keep the likeliest tokens only (nucleus sampling: Holtzman et al. 2020); of tokens as likely
    as the last one all are kept. What one row asks for changes nothing in another, though it may cost time.
    """
    device, likeliest = logits.device, logits.argmax(dim=1)
    warm = temperature > 0
    if not warm.any():
        return likeliest
    logits = logits / torch.where(warm, temperature, 1.0).to(device)[:, None]
    if top_k.any():
        logits = logits.masked_fill(logits < _last_of(logits, top_k.to(device), int(top_k.max())), -torch.inf)
    chances = logits.softmax(dim=1)
    if (top_p < 1).any():
        chances = chances.masked_fill(chances < _nucleus(chances, top_p.to(device)[:, None]), 0.0)
    # What cannot be drawn reaches nowhere, so that no rounding of the sums can choose it.
    reach = chances.cumsum(dim=1).masked_fill(chances <= 0, 0.0)
    total = reach.amax(dim=1)
    point = torch.minimum(uniform.to(device) * total, torch.nextafter(total, torch.zeros_like(total)))
    drawn = (reach > point[:, None]).to(torch.uint8).argmax(dim=1)
    return torch.where(warm.to(device), drawn, likeliest)


def _last_of(logits: Tensor, top_k: Tensor, most: int) -> Tensor:
    """(n, 1) the smallest of the `top_k` largest logits; of 0 less than all."""
    ordered = logits.topk(min(most, logits.shape[1]), dim=1).values
    last = ordered.gather(1, (top_k - 1).clamp(0, ordered.shape[1] - 1)[:, None])
    return torch.where(top_k[:, None] > 0, last, -torch.inf)


def _nucleus(chances: Tensor, share: Tensor) -> Tensor:
    """(n, 1) the smallest of the largest probabilities that make up a share (n, 1); of 1 it is 0."""
    few = FEW if chances.device.type == "cpu" else chances.shape[1]  # a GPU puts all in order as fast
    least, found = _least(chances.topk(min(few, chances.shape[1]), dim=1).values, share)
    more = (~found & (share < 1)).squeeze(1)
    if few < chances.shape[1] and more.any():
        # Only of the rows that need it: how a row's sum is made up must not depend on its neighbours.
        least[more] = _least(chances[more].sort(dim=1, descending=True).values, share[more])[0]
    return torch.where(share < 1, least, 0.0)


def _least(ordered: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """(n, 1) the last of ordered probabilities (n, m) before which there is less than the share, and whether that is sure:
    that the share is reached among them."""
    kept = ordered.cumsum(dim=1) - ordered < share
    return ordered.gather(1, kept.sum(dim=1, keepdim=True) - 1), ~kept[:, -1:]
