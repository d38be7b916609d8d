"""How a denoising sampler gets from noise to content: the steps of each solver, as shares of what is at hand.

DDPM (Ho et al. 2020), DDIM (Song et al. 2021), DPM-Solver++ of the second order over two steps (Lu et al. 2022), and Heun's
method, which asks the network twice a step. Content c and noise n meet as `signal * c + sigma * n`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple


class Level(NamedTuple):
    """A time, and how much of content and of noise there is then."""

    time: float
    signal: float
    sigma: float


class Step(NamedTuple):
    """One question to the network, at a level, and what is made of its estimate of the content: the shares of that, of what
    is there (x), of what is remembered and of fresh noise in the next x, and those of estimate and x in what is remembered."""

    at: Level
    estimate: float
    x: float
    memory: float = 0.0
    fresh: float = 0.0
    keep_estimate: float = 0.0
    keep_x: float = 0.0


RESTING = Step(Level(0.5, 0.0, 1.0), 0.0, 1.0)
"""Of a slot that no row runs in."""


def ddim(levels: Sequence[Level]) -> list[Step]:
    """The noise in x goes on as it is."""
    return [_straight(now, after) for now, after in pairwise(levels)]


def ddpm(levels: Sequence[Level]) -> list[Step]:
    """Ancestral: some of the noise is replaced, with the variance of the posterior."""
    steps = []
    for now, after in pairwise(levels):
        kept = now.signal * after.sigma / (after.signal * now.sigma) if after.sigma else 0.0
        fresh = min(after.sigma, after.sigma * max(0.0, 1 - kept**2) ** 0.5)
        straight = max(0.0, after.sigma**2 - fresh**2) ** 0.5 / now.sigma
        steps.append(Step(now, after.signal - straight * now.signal, straight, fresh=fresh))
    return steps


def dpm(levels: Sequence[Level]) -> list[Step]:
    """The estimate is drawn on along a line through the one before, in the logarithm of the signal-to-noise ratio."""
    steps: list[Step] = []
    before = None
    for now, after in pairwise(levels):
        ahead = _ratio(after) - _ratio(now)
        # The estimate that counts is clean + (clean - clean before) / (2 r), where r is the step before over this one.
        share = 0.0 if before is None else ahead / (2 * (_ratio(now) - _ratio(before)))
        first = _straight(now, after)
        steps.append(first._replace(estimate=first.estimate * (1 + share), memory=-first.estimate * share, keep_estimate=1.0))
        before = now
    return steps


def heun(levels: Sequence[Level]) -> list[Step]:
    """A step as DDIM makes it, then the same step with an estimate that goes in a line, over the logarithm of the
    signal-to-noise ratio, from that at its beginning to that at its end (exponential Heun: Hochbruck and Ostermann 2010). Over
    the noise itself, as with Karras et al. (2022), the first of few steps would be so long that it goes astray."""
    steps: list[Step] = []
    for now, after in pairwise(levels):
        first = _straight(now, after)
        if after == levels[-1]:  # where no noise is left there is nothing to ask
            steps.append(first)
            continue
        ahead = _ratio(after) - _ratio(now)
        end = after.signal * (1 + math.expm1(-ahead) / ahead)
        steps.append(first._replace(keep_estimate=first.estimate - end, keep_x=first.x))
        steps.append(Step(after, end, 0.0, memory=1.0))
    return steps


SOLVERS: dict[str, Callable[[Sequence[Level]], list[Step]]] = {"ddim": ddim, "ddpm": ddpm, "dpm": dpm, "heun": heun}


def _straight(now: Level, after: Level) -> Step:
    straight = after.sigma / now.sigma
    return Step(now, after.signal - straight * now.signal, straight)


def _ratio(level: Level) -> float:
    return math.log(level.signal / level.sigma)
