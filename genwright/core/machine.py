"""What a machine refuses: a full disk, a folder that cannot be written. No fault of the program, whoever met it first."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator

from genwright.core.errors import GenwrightError

FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
SAID = {
    "no space left on device": "full",
    "disk is full": "full",
    "disk quota exceeded": "full",
    "read-only file system": "closed",
    "readonly database": "closed",
    "permission denied": "closed",
    "unable to open database file": "closed",
}
"""What libraries that keep no number say, in small letters."""
TALKERS = ("safetensors", "sqlalchemy")


TOLD = {
    "full": (
        "The disk is full. Nothing is lost that was finished before.",
        "free some space, or set GENWRIGHT_WORKSPACE to a folder on another disk; then run the same command again",
    ),
    "closed": (
        "A file or folder cannot be written or read.",
        "give the right to it, or set GENWRIGHT_WORKSPACE to a folder that can be written",
    ),
}
"""What happened, and what to do."""


def refusal(error: BaseException) -> GenwrightError | None:
    """What a person can do about an error that comes from a full disk or a closed folder; None for any other."""
    for one in _chain(error):
        kind = refused(one)
        if kind is not None:
            what, do = TOLD[kind]
            where = getattr(one, "filename", None) or getattr(one, "filename2", None)
            return GenwrightError(what, got=f"{where}: {one}" if where else str(one), do=do)
    return None


def refused(error: BaseException) -> str | None:
    """`full` or `closed` where that is what an error itself says, whatever led to it; None for any other."""
    if isinstance(error, OSError) and error.errno is not None:
        return "full" if error.errno in FULL else "closed" if error.errno in CLOSED else None
    if isinstance(error, sqlite3.Error | OSError) or type(error).__module__.split(".")[0] in TALKERS:
        said = str(error).lower()
        return next((kind for words, kind in SAID.items() if words in said), None)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, *(one.exceptions if isinstance(one, BaseExceptionGroup) else ())]
