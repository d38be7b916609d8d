"""Files of a folder on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from genwright.core.record import Record
from genwright.data.files import FileOptions, Files
from genwright.data.item import Item
from genwright.data.sources.base import Source, sources


class FolderOptions(FileOptions):
    path: str


@sources.register
class Folder(Source):
    """The files below `path`, absolute or relative to the workspace. Its state is a digest of their contents."""

    name = "folder"
    Options: ClassVar[type[Record]] = FolderOptions
    options: FolderOptions

    def __init__(self, options: Record, *, base: Path, cache: Path, suffixes: frozenset[str]) -> None:
        super().__init__(options, base=base, cache=cache, suffixes=suffixes)
        root = base / Path(self.options.path).expanduser()
        self._files = Files(root, self.options, suffixes, f"folder:{self.options.path}")

    def state(self) -> str:
        return self._files.state()

    def items(self) -> Iterator[Item]:
        return self._files.items()

    @property
    def skipped(self) -> dict[str, str]:
        return self._files.skipped
