"""Programs that are to run all the time: one that ends is started again, ever more slowly, and it is said why."""

from __future__ import annotations

import time
from collections.abc import Callable

from genwright.adapters.processes.children import Child

FIRST_SECONDS, LONGEST_SECONDS = 3.0, 300.0  # before it is started again: at first, and doubled up to
STEADY_SECONDS = 60.0  # of running, after which what was before is forgotten


class Tended:
    """A program that `start` starts. `say` is told, in a sentence, of every end and of what it said last.

    `ready` tells whether what it needs is there; nothing is started before. What runs already can be given as `child`.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], Child],
        say: Callable[[str], None],
        *,
        child: Child | None = None,
        ready: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.child = name, child
        self._start, self._say, self._ready, self._clock = start, say, ready, clock
        self._ends, self._began, self._due = 0, clock(), 0.0

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.running

    def look(self) -> None:
        """See whether it still runs, and do what is due; to be called again and again."""
        now = self._clock()
        if self.child is not None and not self.child.running:
            self._ended(self.child, now)
        if self.child is None and now >= self._due and self._ready():
            self.child, self._began = self._start(), now

    def stop(self) -> None:
        """End it for good."""
        if self.child is not None:
            self.child.stop()

    def _ended(self, child: Child, now: float) -> None:
        lasted = now - self._began
        self._ends = 1 if lasted >= STEADY_SECONDS else self._ends + 1
        pause = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (self._ends - 1))
        child.clear()
        self.child, self._due = None, now + pause
        times = "" if self._ends == 1 else f" ({self._ends} times in a row)"
        self._say(f"{self.name} ended after {lasted:.0f} s{times}: {child.reason}; it is started again in {pause:.0f} s")
