"""Samples of every family as an evaluation draws them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import _work
from genwright.evaluation.evaluate import evaluand


def runs(quick: bool) -> Iterator[tuple[str, float]]:
    """All samples of a draw, after one that warms up."""
    count = 4 if quick else 64
    with _work.workspace() as folder:
        for family in _work.CASES:
            fit = _work.training(folder, family, dial=0.125 if quick else 0.5)
            model, device = fit.begin().model.eval(), str(fit.begin().device)
            for draw in range(2 if quick else 4):
                subject = evaluand(model, fit.dataset, side="test", count=count, sampling={}, seed=draw, device=device)
                seconds = _work.timed(getattr, subject, "samples")
                if draw:
                    yield f"{family}, {count} samples", seconds
