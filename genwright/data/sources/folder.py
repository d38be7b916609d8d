"""Files on this machine: of a folder, of an archive, or one alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from genwright.core.record import Record
from genwright.data.fetch.unpack import is_archive, unpacked
from genwright.data.files import FileOptions, Files
from genwright.data.item import Item, sha256
from genwright.data.readers.tar import Tar
from genwright.data.sources.base import Source, sources


class FolderOptions(FileOptions):
    path: str


@sources.register
class Folder(Source):
    """The files below `path`, or the one it names, absolute or relative to the workspace; of an archive those that are in it.
    Its state is a digest of their contents."""

    name = "folder"
    Options: ClassVar[type[Record]] = FolderOptions
    options: FolderOptions

    def __init__(self, options: Record, *, base: Path, cache: Path, suffixes: frozenset[str]) -> None:
        super().__init__(options, base=base, cache=cache, suffixes=suffixes)
        self._not_unpacked: dict[str, str] = {}

    @cached_property
    def _files(self) -> Files:
        path = self.base / Path(self.options.path).expanduser()
        if packed(path) and self.options.form.kind != Tar.name:
            path, self._not_unpacked = opened(path, self.cache)
        return Files(path, self.options, self.suffixes, f"folder:{self.options.path}")

    def state(self) -> str:
        return self._files.state()

    def items(self) -> Iterator[Item]:
        return self._files.items()

    @property
    def skipped(self) -> dict[str, str]:
        return {**self._not_unpacked, **self._files.skipped}


def packed(path: Path) -> bool:
    """Whether a path is an archive, whose files are meant."""
    return path.is_file() and is_archive(path.name)


def opened(archive: Path, cache: Path) -> tuple[Path, dict[str, str]]:
    """The folder with the files of an archive, and the members that were left out."""
    return unpacked(archive, cache / "archives" / sha256(str(archive.resolve()).encode())[:32])
