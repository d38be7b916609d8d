"""Items that are to be forgotten: excluded from every data set made from now on, by content hash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from genwright.core import stored
from genwright.core.durable import sha256, write_text
from genwright.core.errors import DataError
from genwright.core.stored import Stored
from genwright.core.who import person
from genwright.core.workspace import Workspace
from genwright.data import shards

HASH = re.compile(r"[0-9a-f]{64}")


class Forgotten(Stored):
    """One line of `data/forgotten.jsonl`."""

    form = "forgotten"
    mend = "put the line right, or take it out and say `genwright forget DIGEST` with its digest"

    digest: str = Field(description="SHA-256 of the item's bytes")
    name: str = Field(description="what it was called when it was forgotten")
    why: str
    who: str
    at: str = Field(description="ISO 8601 in UTC")


def digest_of(text: str, workspace: Workspace) -> tuple[str, str]:
    """Hash and name of an item: of the file at a path, of the item of that name in the data that lies in the workspace, such
    as a row, `train.jsonl:12`, or the hash itself where it is gone. Raises DataError."""
    path = Path(text)
    if path.is_file():
        return sha256(path), path.name
    if HASH.fullmatch(text.lower()):
        return text.lower(), "an item without a file"
    named = {row["digest"] for row in _raw(workspace) if row["name"] == text}
    if len(named) == 1:
        return named.pop(), text
    raise DataError(
        "There are several items of that name." if named else "There is no such file or item.",
        got=f"{text}: {', '.join(sorted(named))}" if named else text,
        allowed="a file, the name of an item (`train.jsonl:12`), or the SHA-256 of one that is gone, in hex",
    )


def _raw(workspace: Workspace) -> Iterator[dict[str, Any]]:
    """Names and hashes of all items that lie in the workspace."""
    for folder in sorted(workspace.data.glob("*/raw")):
        yield from shards.read(folder, "items", ["name", "digest"])


def forgotten(workspace: Workspace) -> list[Forgotten]:
    """Everything that is to be forgotten, oldest first. Raises FormatError for a line that cannot be read: none is passed
    over, or its item would be learned from."""
    return stored.read_lines(Forgotten, _path(workspace))


def digests(workspace: Workspace) -> list[str]:
    """Their hashes, sorted."""
    return sorted({entry.digest for entry in forgotten(workspace)})


def forget(workspace: Workspace, digest: str, name: str, why: str) -> Forgotten:
    """Exclude an item from now on; once, however often it is said."""
    known = forgotten(workspace)
    for entry in known:
        if entry.digest == digest:
            return entry
    entry = Forgotten(digest=digest, name=name, why=why, who=person(), at=datetime.now(UTC).isoformat(timespec="seconds"))
    write_text(_path(workspace), "".join(f"{stored.line(each)}\n" for each in (*known, entry)))
    return entry


def _path(workspace: Workspace) -> Path:
    return workspace.data / "forgotten.jsonl"
