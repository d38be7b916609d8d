"""Items from the files of a folder: which ones, with which labels and captions, and what identifies them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pathspec import GitIgnoreSpec
from pydantic import Field

from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.item import Item, sha256

Skipped = dict[str, str]


class FileOptions(Record):
    """Which files of a folder become items. Names that begin with a dot are never collected."""

    include: list[str] | None = Field(
        None, description="globs as in .gitignore; default: every file with an ending the content reads"
    )
    exclude: list[str] = Field(default_factory=list, description="globs of files and folders to leave out")
    recursive: bool = True
    labels: Literal["subfolder", "parent"] | None = Field(
        None, description="label of an item: the first folder of its path, or the folder it lies in"
    )
    captions: str | None = Field(
        None, min_length=2, description="ending of side files that hold a caption: `.txt` pairs a.png with a.txt"
    )
    licence: str = "unknown"
    item_mib: float = Field(64.0, gt=0, le=1024, description="larger files are skipped and reported")


def utc(seconds: float) -> str:
    """A POSIX time between 1970 and 2100 as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(min(max(0, int(seconds)), 4102444800), UTC).isoformat()


class Files:
    """The items of one folder, in the order of their paths. `source` says where they come from.

    A link is followed when it leads to a file inside the folder; a link that leads out, a link to a folder, a device, a
    pipe, an unreadable or oversized file is skipped, and `skipped` says why.
    """

    def __init__(self, root: Path, options: FileOptions, suffixes: frozenset[str], source: str) -> None:
        self.root, self.options, self.suffixes, self.source = root, options, suffixes, source
        self.skipped: Skipped = {}
        self._include = None if options.include is None else GitIgnoreSpec.from_lines(options.include)
        self._exclude = GitIgnoreSpec.from_lines(options.exclude)
        self._limit = int(options.item_mib * 2**20)

    def items(self) -> Iterator[Item]:
        """The items, streamed. Raises DataError when the folder is missing or no file in it qualifies."""
        for path, data in self._contents():
            yield Item(
                name=self._name(path),
                columns=self._columns(path, data),
                source=self.source,
                licence=self.options.licence,
                collected_at=utc(path.stat().st_mtime),
            )

    def state(self) -> str:
        """SHA-256 over path and columns of every item. Raises DataError as `items` does."""
        state = hashlib.sha256()
        for path, data in self._contents():
            told = (f"{name}={sha256(value)}" for name, value in self._columns(path, data).items())
            state.update("\0".join([self._name(path), *told, "\n"]).encode())
        return state.hexdigest()

    def _contents(self) -> Iterator[tuple[Path, bytes]]:
        self.skipped.clear()
        if not self.root.is_dir():
            raise DataError(
                f"There is no folder at {self.root}.",
                got="a file" if self.root.exists() else "nothing there",
                do="correct `path` in the recipe (relative paths start at the workspace) or create the folder",
            )
        collected, others = 0, Counter[str]()
        for path in self._walk():
            if not self._wanted(path):
                others[path.suffix.lower() or "no ending"] += 1
                continue
            data = self._read(path)
            if data is not None:
                collected += 1
                yield path, data
        if not collected:
            raise self._nothing(others)

    def _walk(self) -> Iterator[Path]:
        def unreadable(error: OSError) -> None:
            self.skipped[self._name(Path(error.filename))] = f"cannot be listed: {error.strerror}"

        for folder, below, names in os.walk(self.root, onerror=unreadable):
            for name in sorted(below):
                if (Path(folder) / name).is_symlink() and not self._excluded(Path(folder) / name, folder=True):
                    self.skipped[self._name(Path(folder) / name)] = f"a link to a folder: {(Path(folder) / name).readlink()}"
            below[:] = sorted(
                name
                for name in below
                if self.options.recursive and name[0] != "." and not self._excluded(Path(folder) / name, folder=True)
            )
            yield from (Path(folder) / name for name in sorted(names) if name[0] != ".")

    def _excluded(self, path: Path, *, folder: bool = False) -> bool:
        return self._exclude.match_file(path.relative_to(self.root).as_posix() + ("/" if folder else ""))

    def _wanted(self, path: Path) -> bool:
        if self._excluded(path) or (self.options.captions and path.name.lower().endswith(self.options.captions.lower())):
            return False
        if self._include is not None:
            return self._include.match_file(path.relative_to(self.root).as_posix())
        return path.suffix.lower() in self.suffixes

    def _read(self, path: Path) -> bytes | None:
        """The bytes of a file inside the folder, or None with the reason noted."""
        reason = None
        try:
            if not path.resolve(strict=True).is_relative_to(self.root.resolve()):
                reason = f"a link out of the folder: {path.readlink() if path.is_symlink() else path.resolve()}"
            elif not stat.S_ISREG((about := path.stat()).st_mode):
                reason = "a device, pipe or socket, not a file"
            elif about.st_size > self._limit:
                reason = f"{about.st_size / 2**20:.1f} MiB, over the limit of {self.options.item_mib:g} MiB (`item_mib`)"
            else:
                with path.open("rb") as file:
                    return file.read(self._limit)
        except (OSError, RuntimeError) as error:
            reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        self.skipped[self._name(path)] = reason
        return None

    def _columns(self, path: Path, data: bytes) -> dict[str, bytes]:
        """The file's bytes, and its label and caption where there are any."""
        found = {"content": data}
        relative = path.relative_to(self.root)
        if self.options.labels and len(relative.parts) > 1:
            label = relative.parts[0] if self.options.labels == "subfolder" else relative.parts[-2]
            found["label"] = self._printable(label).encode()
        if self.options.captions:
            side = path.with_name(path.stem + self.options.captions)
            caption = self._read(side) if side.is_file() else None
            if caption is not None:
                found["caption"] = caption
        return found

    def _name(self, path: Path) -> str:
        return self._printable(path.relative_to(self.root).as_posix())

    @staticmethod
    def _printable(name: str) -> str:
        """A file name that is not UTF-8 with its odd bytes written as `\\xff`."""
        return os.fsencode(name).decode("utf-8", "backslashreplace")

    def _nothing(self, others: Counter[str]) -> DataError:
        wanted = self.options.include or sorted(self.suffixes)
        there = ", ".join(f"{count} x {ending}" for ending, count in others.most_common(5)) or "no file"
        if self.skipped:
            name, reason = next(iter(self.skipped.items()))
            there += f"; {len(self.skipped)} skipped, e.g. {name}: {reason}"
        return DataError(
            f"No file to collect in {self.root}.",
            got=there,
            allowed=" ".join(wanted) or "nothing: the content reads no file ending, so `include` is needed",
            do="put files there, or correct `include` and `exclude` in the recipe",
        )
