"""A checkpoint: how long training stands still for it, and how long it takes to be on disk and to be read."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import _work
from genwright.training import checkpoint
from genwright.training.progress import Progress
from genwright.training.saving import Saver


def runs(quick: bool) -> Iterator[tuple[str, float]]:
    """Of a GPT with its average and moments."""
    with _work.workspace() as folder:
        learner = _work.training(folder, "gpt", dial=0.125 if quick else 2.0).begin()
        tensors = learner.tensors()
        size = f"{sum(tensor.nbytes for tensor in tensors.values()) / 2**20:.0f} MiB"
        saver = Saver(folder / "checkpoints")
        for step in range(1, 2 if quick else 6):
            held_up = _work.timed(saver.save, Progress(step=step), tensors, {})
            yield f"training stands still, {size}", held_up
            yield f"until it is on disk, {size}", held_up + _work.timed(saver.flush)
            yield f"read and verified, {size}", _work.timed(checkpoint.load, saver.root, step)
        saver.close()
