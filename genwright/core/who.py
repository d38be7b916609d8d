"""Who acts, for the ledger and the list of what is forgotten."""

from __future__ import annotations

import getpass
import socket


def person() -> str:
    """The user and machine that act, as `user@host`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
