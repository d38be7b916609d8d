"""A small program that outlives its parent by seconds: it ends the process groups the parent left behind.

On standard input it is told the groups there are, `+ID` and `-ID` a line. When that closes, because the parent ended,
however it ended, every group still on the list gets SIGTERM, and SIGKILL ten seconds later. It imports nothing of
Genwright, so that it starts in milliseconds.
"""

import os
import signal
import sys
import time

PATIENCE = 10.0  # seconds


def ended(group: int, number: int) -> bool:
    """Signal a group; whether there is none left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return True
    except PermissionError:  # a zombie, on some systems
        return True
    return False


def main() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        groups.add(group) if line[0] == "+" else groups.discard(group)
    left = {group for group in groups if not ended(group, signal.SIGTERM)}
    end = time.monotonic() + PATIENCE
    while left and time.monotonic() < end:
        time.sleep(0.05)
        left = {group for group in left if not ended(group, 0)}
    for group in left:
        ended(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
