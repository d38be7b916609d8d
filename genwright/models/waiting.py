"""How long the threads of a computation spin while they wait for each other, kept to what the machine has free.

A thread that spins answers within a microsecond, but takes a processor from whoever has work for it; where that is a
sister thread that has to be waited for, a training beside other work becomes ten times slower than its share of the
machine. How many threads there are must not follow the load, since sums are split by threads and so the last bits of a
result depend on their number; how long they spin may.

libgomp, which PyTorch's builds for Linux bring, lets its threads spin 300,000 times, and 1,000 times in a process that has
more OpenMP threads than the machine has processors (GOMP_SPINCOUNT in the manual of libgomp). So an idle team of threads
is held while others need the processors, and let go when they no longer do. Other runtimes do not heed it.
"""

from __future__ import annotations

import os
import threading
import time
from typing import NamedTuple

import psutil
import torch

from genwright.core.processors import allowed

LOOK_EVERY = 1.0  # seconds
SLACK = 0.25  # processors; the system's own small work is no load
SAID = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # by a person who wants something else

_started = threading.Lock()


class Look(NamedTuple):
    """Seconds of work so far: of the processors that this process may use, and of this process."""

    moment: float
    processors: float
    own: float


def begin(threads: int) -> None:
    """Look after the waiting of this process from now on; without effect where it is looked after already, where one
    thread has nobody to wait for, or where the environment says how to wait."""
    if threads > 1 and not any(name in os.environ for name in SAID) and _started.acquire(blocking=False):
        threading.Thread(target=_attend, args=(threads,), name="waiting", daemon=True).start()


def look() -> Look:
    """How much has been worked until now."""
    processors = allowed()
    times = psutil.cpu_times(percpu=True)
    worked = sum(sum(t) - t.idle - getattr(t, "iowait", 0.0) for i, t in enumerate(times) if i in processors)
    return Look(time.monotonic(), worked, time.process_time())


def taken(before: Look, after: Look) -> float:
    """How many processors others have used between two looks."""
    passed = max(1e-9, after.moment - before.moment)
    return max(0.0, (after.processors - before.processors - (after.own - before.own)) / passed)


def crowded(others: float, threads: int) -> bool:
    """Whether `threads` threads have to share processors when others use so many."""
    return others + threads > len(allowed()) + SLACK


def _attend(threads: int) -> None:
    """Brief waits until a look has shown that nobody else is at work, then long ones until somebody is."""
    idle: _IdleTeam | None = _IdleTeam()
    before = look()
    while True:
        time.sleep(LOOK_EVERY)
        after = look()
        busy = crowded(taken(before, after), threads)
        if busy and idle is None:
            idle = _IdleTeam()
        elif not busy and idle is not None:
            idle.end()
            idle = None
        before = after


class _IdleTeam:
    """OpenMP threads that sleep until the end."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sleep, name="idle team", daemon=True)
        self._thread.start()

    def _sleep(self) -> None:
        torch.zeros(1 << 20).add_(1)  # large enough that PyTorch takes a team for it
        self._over.wait()

    def end(self) -> None:
        self._over.set()
        self._thread.join()
