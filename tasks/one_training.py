"""One training at a time: two on the same processors take far more than twice as long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from genwright.core.durable import exclusive, holder
from genwright.core.workspace import Workspace
from genwright.lifecycle.spending import Meter
from genwright.tasks.display import say


@contextmanager
def turn(workspace: Workspace, meter: Meter) -> Iterator[None]:
    """The block trains: it waits until no other process of the workspace does. Waiting costs nothing."""
    lock = workspace.lock("training")
    with ExitStack() as stack:
        with meter.resting():
            other = holder(lock)
            if other is not None:
                say("turn", f"process {other} is training another recipe here; waiting for its end")
            stack.enter_context(exclusive(lock, busy="", wait=True))
        yield
