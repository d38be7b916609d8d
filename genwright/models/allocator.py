"""Memory that computations need again and again is kept by the process.

glibc gives what was freed at the top of its heap back to the system, and a step of training frees and takes tens of MiB: every
page is then zeroed and mapped anew, 6,000 times in a step of a small U-Net, a tenth of its time. Up to KEPT bytes are held
back (mallopt(3)). Other C libraries do not heed it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

KEPT = 1 << 30
LARGE = 32 << 20  # the most that glibc takes; what is larger comes from the system and goes back at once

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # malloc.h
SAID = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")  # by a person who wants something else


def keep() -> None:
    """From now on, in this process; without effect where the environment says how memory is kept."""
    if sys.platform == "linux" and not any(name in os.environ for name in SAID):
        with suppress(OSError, AttributeError):  # a C library without it
            library = ctypes.CDLL(None)
            library.mallopt(TRIM_THRESHOLD, KEPT)
            library.mallopt(MMAP_THRESHOLD, LARGE)
