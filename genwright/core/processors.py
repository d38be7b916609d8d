"""The processors that this process may use. Their number is the machine's, never the load's: sums are split by threads, so
equal bits need equal threads."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def allowed() -> set[int]:
    """Their numbers."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def threads() -> int:
    """How many threads compute: what OMP_NUM_THREADS says, else one a processor, and no more than a container's quota of
    processor time feeds."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    return max(1, min(len(allowed()), _quota() or len(allowed())))


def _quota() -> int | None:
    """Processors' worth of time that the control group grants, rounded up; None where it grants all."""
    for file, divided in (("cpu.max", ""), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            text = (CGROUP / file).read_text() + (" " + (CGROUP / divided).read_text() if divided else "")
            granted, period = text.split()
            return math.ceil(int(granted) / int(period)) if int(granted) > 0 else None
        except (OSError, ValueError):  # not there, or `max`
            continue
    return None
