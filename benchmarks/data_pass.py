"""Batches as training sees them, from disk through memory maps: one pass over the training items."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import _work
from genwright.data.feed import Side

SIZE = 32


def runs(quick: bool) -> Iterator[tuple[str, float]]:
    """Epochs after one that warms up."""
    with _work.workspace() as folder:
        for kind in dict.fromkeys(_work.CASES.values()):
            side = _work.dataset(folder, kind).train
            steps = max(1, side.units // SIZE)
            for epoch in range(2 if quick else 12):
                seconds = _work.timed(_read, side, range(epoch * steps, (epoch + 1) * steps))
                if epoch:
                    yield f"{kind}, {steps * SIZE} rows", seconds


def _read(side: Side, steps: range) -> None:
    for step in steps:
        side.batch(SIZE, 0, step)
