"""Files on this machine: of a folder, of an archive, or one alone."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from genwright.core.record import Record
from genwright.data.files import FileOptions
from genwright.data.sources.base import Fetched, FilesSource, sources


class FolderOptions(FileOptions):
    path: str


@sources.register
class Folder(FilesSource):
    """The files below `path`, or the one it names, absolute or relative to the workspace; of an archive those that are in
    it."""

    name = "folder"
    Options: ClassVar[type[Record]] = FolderOptions
    options: FolderOptions

    def fetch(self) -> Fetched:
        return Fetched(self.base / Path(self.options.path).expanduser(), f"folder:{self.options.path}")
