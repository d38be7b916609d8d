"""One update of every family: forward, backward, clipping, optimiser and average."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import _work
from genwright.core.batch import Batch
from genwright.training.learner import Learner


def runs(quick: bool) -> Iterator[tuple[str, float]]:
    """Steps after two that warm up."""
    with _work.workspace() as folder:
        for family in _work.CASES:
            fit = _work.training(folder, family, dial=0.125 if quick else 0.5)
            learner, size = fit.begin(), fit.plan.batch_size
            for step in range(3 if quick else 22):
                batch = fit.dataset.train.batch(size, 0, step)
                seconds = _work.timed(_update, learner, batch, step)
                if step >= 2:
                    yield f"{family}, {size} items a batch", seconds


def _update(learner: Learner, batch: Batch, step: int) -> None:
    learner.update(batch, step, 1e-3).tolist()  # which waits for a GPU
