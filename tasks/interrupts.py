"""Ctrl-C and SIGTERM between two steps, never within one: the checkpoint they leave is of a whole step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


def interruptible(steps: Iterable[T]) -> Generator[T, None, None]:
    """The steps of an iterator that leaves a checkpoint when it is closed; raises KeyboardInterrupt after the step in
    which the signal came. A second signal does not wait."""
    running = iter(steps)
    with _signals() as asked:
        try:
            for step in running:
                yield step
                if asked.is_set():
                    raise KeyboardInterrupt
        finally:
            if isinstance(running, Generator):
                running.close()


@contextmanager
def _signals() -> Iterator[threading.Event]:
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        os.write(2, b"\nStopping after this step; the same signal again stops at once.\n")  # a console may be locked here

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
