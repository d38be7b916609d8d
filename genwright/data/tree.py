"""The files below a folder, or a single one, as they may be read: nothing outside it, no device, nothing too large."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pathspec import GitIgnoreSpec

from genwright.core.errors import DataError

PIECE = 2**20  # bytes read at a time
LITTER = {"thumbs.db", "desktop.ini"}
"""Names of files that systems leave behind, beside those that begin with a dot."""


class Tree:
    """A listing in the order of paths. Names that begin with a dot are never listed.

    A link is followed when it leads to a file inside the folder; a link that leads out, a link to a folder, a device, a
    pipe, an unreadable or oversized file is skipped, and `skipped` says why.
    """

    def __init__(
        self,
        root: Path,
        *,
        include: list[str] | None = None,
        exclude: list[str] | None = None,
        recursive: bool = True,
        limit: int = 2**26,
    ) -> None:
        self.at, self.recursive, self.limit = root, recursive, limit
        self.root = root.parent if root.is_file() else root
        self.skipped: dict[str, str] = {}
        self.include = include
        self._include = None if include is None else GitIgnoreSpec.from_lines(include)
        self._exclude = GitIgnoreSpec.from_lines(exclude or [])

    def paths(self) -> Iterator[Path]:
        """Every file that is not excluded. Raises DataError where there is nothing at the root."""
        if self.at.is_file():
            yield self.at
            return
        if not self.root.is_dir():
            raise DataError(
                f"There is no folder at {self.root}.",
                got="something else" if self.root.exists() else "nothing there",
                do="correct `path` in the recipe (relative paths start at the workspace) or create the folder",
            )

        def unreadable(error: OSError) -> None:
            self.skipped[self.name(Path(error.filename))] = f"cannot be listed: {error.strerror}"

        for folder, below, names in os.walk(self.root, onerror=unreadable):
            here = Path(folder)
            for name in sorted(below):
                if (here / name).is_symlink() and not self._excluded(here / name, folder=True):
                    self.skipped[self.name(here / name)] = f"a link to a folder: {(here / name).readlink()}"
            kept = (n for n in below if self.recursive and n[0] != "." and not self._excluded(here / n, folder=True))
            below[:] = sorted(kept)
            for name in sorted(names):
                if name[0] != "." and name.lower() not in LITTER and not self._excluded(here / name):
                    yield here / name

    def chosen(self, path: Path) -> bool | None:
        """Whether `include` wants a file; None where there is no `include`."""
        return None if self._include is None else self._include.match_file(self.relative(path))

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def name(self, path: Path) -> str:
        """The path of a file as text; odd bytes of one that is not UTF-8 are written as `\\xff`."""
        return printable(self.relative(path))

    def refused(self, path: Path, *, whole: bool = True) -> str | None:
        """None, or why a file cannot be read; `whole`: at once, so that it must not be too large."""
        try:
            if not path.resolve(strict=True).is_relative_to(self.root.resolve()):
                return f"a link out of the folder: {path.readlink() if path.is_symlink() else path.resolve()}"
            if not stat.S_ISREG((about := path.stat()).st_mode):
                return "a device, pipe or socket, not a file"
            if whole and about.st_size > self.limit:
                return f"{about.st_size / 2**20:.1f} MiB, over the limit of {self.limit / 2**20:g} MiB (`item_mib`)"
            with path.open("rb"):
                return None
        except (OSError, RuntimeError) as error:
            return f"cannot be read: {getattr(error, 'strerror', None) or error}"

    def usable(self, path: Path, *, whole: bool = True) -> bool:
        """Whether a file can be read; it is noted where not."""
        reason = self.refused(path, whole=whole)
        if reason is not None:
            self.skipped[self.name(path)] = reason
        return reason is None

    def read(self, path: Path) -> bytes | None:
        """The bytes of a file, or None with the reason noted."""
        if not self.usable(path):
            return None
        with path.open("rb") as file:
            return file.read(self.limit)

    def digest(self, path: Path) -> str:
        """Hex SHA-256 of a file of any size."""
        with path.open("rb") as file:
            state = hashlib.sha256()
            while piece := file.read(PIECE):
                state.update(piece)
        return state.hexdigest()

    def _excluded(self, path: Path, *, folder: bool = False) -> bool:
        return self._exclude.match_file(self.relative(path) + ("/" if folder else ""))


def printable(name: str) -> str:
    """A file name in which bytes that are not UTF-8 are written as `\\xff`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def utc(seconds: float) -> str:
    """A POSIX time between 1970 and 2100 as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(min(max(0, int(seconds)), 4102444800), UTC).isoformat()


def modified(path: Path) -> str:
    """When a file was written, as `utc`."""
    return utc(path.stat().st_mtime)
