"""One training at a time: two on the same processors take far more than twice as long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from genwright.core.durable import exclusive, holder
from genwright.core.workspace import Workspace
from genwright.lifecycle.spending import Meter
from genwright.tasks.display import say

Take = Callable[[], None]
"""To be called before work that needs the processors, once or more."""


@contextmanager
def turn(workspace: Workspace, meter: Meter) -> Iterator[Take]:
    """What the block calls before it trains or measures: it waits until no other process of the workspace does, and from then
    on no other does until the block ends. Waiting costs nothing."""
    lock, taken, waited = workspace.lock("training"), ExitStack(), False

    def take() -> None:
        nonlocal waited
        if waited:
            return
        with meter.resting():
            other = holder(lock)
            if other is not None:
                say("turn", f"process {other} is training another recipe here; waiting for its end")
            taken.enter_context(exclusive(lock, busy="", wait=True))
        waited = True

    with taken:
        yield take
