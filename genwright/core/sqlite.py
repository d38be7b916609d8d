"""Databases in a file, as they are looked at without touching them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote


def opened(database: Path) -> sqlite3.Connection:
    """For reading; asking does not create it."""
    return sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=60)


def damage(database: Path, *, whole: bool = False) -> str | None:
    """None, or why a database cannot be read; `whole` also holds its indices against its tables. One that is locked is in
    use, and not damaged."""
    try:
        with closing(opened(database)) as connection:
            said = connection.execute("PRAGMA integrity_check" if whole else "PRAGMA quick_check").fetchone()[0]
    except sqlite3.OperationalError as error:
        return None if "locked" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return f"damaged: {error}"
    return None if said == "ok" else f"damaged: {said.splitlines()[0]}"
