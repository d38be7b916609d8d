"""When checkpoints are taken, and that training does not wait for the disk."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
from torch import Tensor

from genwright.training import checkpoint
from genwright.training.progress import Progress

SHARE = 0.03  # of the time that checkpoints may cost
SAVE_EVERY = 20.0  # seconds between checkpoints where nothing was evaluated, at least
ROOM = 0.25  # share of the free memory that the copy of a state may take


class Saver:
    """Checkpoints of one round in a folder. What is saved is copied, and a thread writes the copy, one at a time; where the
    copy would need too much memory, training waits for the disk instead. When checkpoints are taken never bears on the
    result."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None
        self._cost = 0.0  # seconds of the last one
        self._last = time.monotonic()
        self._saved: int | None = None

    def due(self, evaluated: bool) -> bool:
        """Whether a checkpoint is worth its time now; `evaluated` says that held-out losses were just taken. Raises what
        went wrong with the last one."""
        if self._writing is not None and not self._writing.done():
            return False
        self.flush()
        return time.monotonic() - self._last >= max(0.0 if evaluated else SAVE_EVERY, self._cost / SHARE)

    def save(self, progress: Progress, tensors: Mapping[str, Tensor], best: Mapping[str, Tensor]) -> None:
        """Take a checkpoint. `best` are the weights of `progress.best_step`, which nobody changes any more."""
        self.flush()
        began = time.monotonic()
        size = sum(tensor.nbytes for tensor in tensors.values())
        beside = size < ROOM * psutil.virtual_memory().available
        held = {name: tensor.detach().to("cpu", copy=beside) for name, tensor in tensors.items()}
        self._last, self._saved = began, progress.step
        self._writing = self._thread.submit(self._write, copy.deepcopy(progress), held, best, began)
        if not beside:
            self.flush()

    def saved(self, step: int) -> bool:
        """Whether that step was the last one saved."""
        return self._saved == step

    def flush(self) -> None:
        """Wait for what is being written. Raises TrainingError when the disk is full."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def close(self) -> None:
        """Wait, and be done."""
        try:
            self.flush()
        finally:
            self._thread.shutdown()

    def _write(self, progress: Progress, tensors: Mapping[str, Tensor], best: Mapping[str, Tensor], began: float) -> None:
        if progress.best_step:
            checkpoint.save_best(self.root, progress.best_step, best)
        checkpoint.save(self.root, progress, tensors)
        there = [step for step in checkpoint.steps(self.root) if step <= progress.step]  # later ones were rolled back
        target = max((step for step in there if step <= progress.evaluated), default=progress.step)
        checkpoint.prune(self.root, {*there[-2:], progress.step, target})
        self._cost = time.monotonic() - began
