"""How often a process looks for garbage."""

from __future__ import annotations

import gc

THRESHOLDS = (10_000, 20, 50)


def patient() -> None:
    """Look seldom, to the end of this process: what is imported is a million objects that stay, and looking through them again
    and again took a tenth of a short command. What training throws away goes without being looked for."""
    gc.set_threshold(*THRESHOLDS)
