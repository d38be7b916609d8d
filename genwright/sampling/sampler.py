"""Interim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genwright.core.batch import stack
from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.shapes import BOS, EOS, PAD
from genwright.models.architectures.base import Architecture, Decodes, Denoises, Emits, SampleOptions


@dataclass(frozen=True)
class Ask:
    key: tuple[int, ...]
    options: SampleOptions
    given: Mapping[str, Tensor] = field(default_factory=dict)
    start: Tensor | None = None
    keep: Tensor | None = None


def drawn(model: Architecture, asks: Sequence[Ask], slots: int, device: str = "cpu") -> Tensor:
    training = model.training
    model.eval()
    found = []
    try:
        with torch.no_grad():
            for at in range(0, len(asks), slots):
                some = list(asks[at : at + slots])
                n = len(some)
                some += [some[0]] * (slots - n)
                found.append(_some(model, some, device)[:n].cpu())
    finally:
        model.train(training)
    return torch.cat(found)


def _some(model, asks, device):
    n = len(asks)
    ports = model.signature.given
    given = {k: stack([a.given.get(k) for a in asks], p.shape).to(device) for k, p in ports.items()}
    read = model.read(n, given)
    draws = Draws([a.key for a in asks], device)
    o = asks[0].options
    if isinstance(model, Emits):
        return model.emit(o.temperature * draws.normal(*model.latent.dims), read)
    if isinstance(model, Denoises):
        x = draws.normal(*model.makes.dims)
        times = torch.linspace(1, 0, o.steps + 1).clamp(1e-3, 1 - 1e-3)
        free = model.read(n, {}) if o.guidance != 1 and ports else None
        for now, after in zip(times[:-1], times[1:]):
            t = now.expand(n).to(device)
            c = model.clean(x, t, read)
            if free is not None:
                f = model.clean(x, t, free)
                c = f + o.guidance * (c - f)
            c = c.clamp(-1, 1) if model.makes.bounded else c
            s, g = model.levels(now[None])
            s2, g2 = model.levels(after[None])
            x = s2 * c + g2 * (x - s * c) / g
        return c
    if isinstance(model, Decodes):
        length = model.makes.length
        cache = model.cache(n)
        rows = torch.arange(n)
        out = torch.full((n, length), PAD)
        tokens = torch.full((n, 1), BOS)
        at = 0
        if asks[0].start is not None:
            p = asks[0].start
            if len(p) >= length:
                raise ModelError("The prompt is too long for this model.")
            tokens = torch.cat([tokens, p[None].expand(n, -1)], 1)
            out[:, : len(p)] = p
            at = len(p)
        u = draws.uniform(length)
        done = torch.zeros(n, dtype=torch.bool)
        while at < length and not done.all():
            logits = model.logits(tokens.to(device), rows, cache, read).float()
            logits[:, [PAD, BOS]] = -torch.inf
            if o.temperature == 0:
                c = logits.argmax(1)
            else:
                p = (logits / o.temperature).softmax(1).cumsum(1)
                c = torch.searchsorted(p, (u[:, at : at + 1] * p[:, -1:])).squeeze(1).clamp_max(p.shape[1] - 1)
            c = c.masked_fill(done, PAD)
            out[:, at] = c
            done |= c == EOS
            tokens = c[:, None].masked_fill(done[:, None], EOS)
            at += 1
        return out
    raise ModelError("no way")
