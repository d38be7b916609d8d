"""Files inside a published package."""

from __future__ import annotations

from typing import ClassVar

from genwright.core.record import Record
from genwright.data.fetch.packages import PackageChoice, fetch
from genwright.data.files import FileOptions
from genwright.data.sources.base import Fetched, FilesSource, sources


class PackageOptions(PackageChoice, FileOptions):
    pass


@sources.register
class Package(FilesSource):
    """Files of a pip wheel, an npm package or a Debian package at a pinned version, which is part of its state."""

    name = "package"
    Options: ClassVar[type[Record]] = PackageOptions
    options: PackageOptions

    def fetch(self) -> Fetched:
        fetched, folder = fetch(self.options, self.cache)
        title = f"{self.options.manager}:{self.options.package}=={fetched.version}"
        return Fetched(folder, title, version=fetched.version, left_out=fetched.skipped)
