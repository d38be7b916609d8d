"""Training beside other work: the same steps on a quiet machine and beside eight busy processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import _work

BUSY = 8
LOAD = """
import os, sys
first = os.getpid()
for _ in range(int(sys.argv[1]) - 1):
    if os.fork() == 0:
        while os.getppid() == first:
            for _ in range(100_000):
                pass
        os._exit(0)
while True:
    pass
"""
"""So many busy processes, of which the others end when the first one does."""


def runs(quick: bool) -> Iterator[tuple[str, float]]:
    """Steps of a GPT and of a VAE, in turns."""
    steps, turns = (2, 1) if quick else (40, 3)
    with _work.workspace() as folder:
        for family in ("gpt", "vae"):
            for turn in range(turns):
                yield f"{family}, {steps} steps, quiet", _steps(folder, family, steps, f"quiet-{turn}")
                with load(BUSY):
                    yield f"{family}, {steps} steps, {BUSY} busy", _steps(folder, family, steps, f"busy-{turn}")


@contextmanager
def load(processes: int) -> Iterator[None]:
    """So many busy processes, in a session of their own as another user's are."""
    first = subprocess.Popen([sys.executable, "-c", LOAD, str(processes)], start_new_session=True)
    try:
        time.sleep(2.0)  # until the threads of this process have noticed
        yield
    finally:
        first.kill()
        first.wait()


def _steps(folder: Path, family: str, steps: int, name: str) -> float:
    fit = _work.training(folder, family, name, steps=steps)
    return _work.timed(lambda: list(fit))
