"""Who changed which model's champion, when and why: JSON lines that are only ever appended to.

Every line carries the SHA-256 of the one before, so that a changed, removed or inserted line shows. What is cut off at
the end does not show by itself; the newest hash is kept with the registered model, where `Registry.verify` looks.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from genwright.core import stored
from genwright.core.durable import sync
from genwright.core.stored import Stored
from genwright.core.who import person
from genwright.core.workspace import Workspace
from genwright.evaluation.bounds import GateVerdict
from genwright.lifecycle.records import Decision

LEDGERS = "ledger"
"""Folder, within the state of a workspace."""

What = Literal["promoted", "rolled back", "refused", "asked", "rejected", "noticed", "pruned"]
SILENT = ("refused", "asked", "rejected", "pruned")  # entries that leave the champion where it is


class LedgerEntry(Stored):
    """One line. The gate refuses, a person rejects, or is `asked` and has not answered yet. `noticed` means that the
    champion was found to be another than the ledger knew: moved by other means, or by a process that died before it could
    write. A line is never written again, so those of every format stay; `previous` keeps its name in all of them."""

    form = "ledger"
    mend = "put the line right, or move .genwright aside and run the recipes again"
    sealed = False  # each line has the hash of the one before

    at: str = Field(description="ISO 8601 in UTC")
    who: str = Field(description="user@host")
    what: What
    name: str
    before: int | None = Field(description="champion at that time")
    after: int | None = Field(description="the version asked for")
    why: str
    verdicts: list[GateVerdict] = Field(default_factory=list)
    previous: str = Field("", description="SHA-256 of the line before; empty in the first")


class Ledger:
    """The ledger of one model name, under `folder`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path, self.name = folder / f"{name}.jsonl", name

    @classmethod
    def of(cls, workspace: Workspace, name: str) -> Ledger:
        """The one of a model in a workspace."""
        return cls(workspace.state / LEDGERS, name)

    def append(
        self,
        what: What,
        *,
        before: int | None,
        after: int | None,
        why: str,
        decision: Decision | None = None,
        who: str | None = None,
    ) -> LedgerEntry:
        """Write one line and flush it to disk. A line that a crash cut short stays behind as it is."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # two that write at once would both name the same line before
            lines = self._lines()
            entry = LedgerEntry(
                at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                who=who or person(),
                what=what,
                name=self.name,
                before=before,
                after=after,
                why=why,
                verdicts=decision.verdicts if decision else [],
                previous=digest(lines[-1]) if lines else "",
            )
            line = stored.line(entry) + "\n"
            size = os.fstat(handle).st_size
            cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, ("\n" if cut else "").encode() + line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        sync(self.path.parent)
        return entry

    @property
    def head(self) -> str:
        """SHA-256 of the newest line; empty where there is none."""
        lines = self._lines()
        return digest(lines[-1]) if lines else ""

    def verify(self, head: str | None = None) -> list[str]:
        """What is wrong with the ledger, a line each; nothing for one that was only appended to. `head` is the hash of a
        line that must be there."""
        lines, wrong, before = self._lines(), [], ""
        for number, line in enumerate(lines, start=1):
            values = stored.parsed(line)
            if values is not None and (said := values.get("previous")) != before:
                wrong.append(f"line {number} follows a line of hash {said or 'none'}, the line before has {before or 'none'}")
            before = digest(line)
        if head and head not in {digest(line) for line in lines}:
            wrong.append(f"the line of hash {head}, which was the newest once, is not there: lines were changed or cut off")
        return wrong

    def _lines(self) -> list[bytes]:
        return [line for line in self.path.read_bytes().split(b"\n") if line] if self.path.is_file() else []

    def entries(self) -> list[LedgerEntry]:
        """All entries, oldest first, in today's format. Raises FormatError for a line that is whole but no entry of a format
        known here; what a crash cut short is no JSON and does not count."""
        whole = [(n, line) for n, line in enumerate(self._lines(), start=1) if stored.parsed(line) is not None]
        return [stored.parse(LedgerEntry, line, f"Line {number} of {self.path}") for number, line in whole]

    def champions(self) -> list[int]:
        """The champions that lead to the present one, which is last: a promotion adds one, a rollback takes those behind
        its target away."""
        line: list[int] = []
        for entry in self.entries():
            if entry.what in SILENT:
                continue
            if entry.what == "rolled back" and entry.after in line:
                line = line[: line.index(entry.after) + 1]
            elif entry.after is None:
                line = []
            elif not line or line[-1] != entry.after:
                line.append(entry.after)
        return line

    @property
    def champion(self) -> int | None:
        """The present one, as far as the ledger knows."""
        line = self.champions()
        return line[-1] if line else None

    def asked(self) -> int | None:
        """The version that waits for a person's answer; None when nothing was said of one since, or nobody was asked."""
        entries = [entry for entry in self.entries() if entry.what not in ("noticed", "pruned")]
        return entries[-1].after if entries and entries[-1].what == "asked" else None

    def answered(self, version: int) -> LedgerEntry | None:
        """The rejection of a version, unless it was asked about or promoted again since."""
        told = [e for e in self.entries() if e.after == version and e.what in ("asked", "rejected", "promoted")]
        return told[-1] if told and told[-1].what == "rejected" else None

    def withdrawn(self, version: int) -> LedgerEntry | None:
        """The rollback that took a version out of service, unless it was promoted again since."""
        told = [e for e in self.entries() if version == (e.before if e.what == "rolled back" else e.after)]
        told = [e for e in told if e.what in ("rolled back", "promoted")]
        return told[-1] if told and told[-1].what == "rolled back" else None


def digest(line: bytes) -> str:
    """Hex SHA-256 of a line without its end."""
    return hashlib.sha256(line).hexdigest()
