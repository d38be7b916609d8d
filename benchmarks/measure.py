"""What is taken of a model while it trains: the held-out losses, and the ranked measure with them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks import _work
from genwright.training.held_out import measured


def runs(quick: bool) -> Iterator[tuple[str, float]]:
    """Each, after one that warms up."""
    with _work.workspace() as folder:
        for family in _work.CASES:
            fit = _work.training(folder, family, dial=0.125 if quick else 0.5)
            learner = fit.begin()
            for ranked in (False, True):
                what = f"{family}, " + (f"losses and {fit.plan.measure}" if ranked else "losses")
                for turn in range(2 if quick else 4):
                    seconds = _work.timed(partial(measured, ranked=ranked), learner, fit.dataset, fit.memo)
                    if turn:
                        yield what, seconds
