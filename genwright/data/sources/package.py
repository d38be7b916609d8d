"""Files inside a published package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from genwright.core.record import Record
from genwright.data.fetch.packages import PackageChoice, fetch
from genwright.data.files import FileOptions, Files
from genwright.data.item import Item
from genwright.data.sources.base import Source, sources


class PackageOptions(PackageChoice, FileOptions):
    pass


@sources.register
class Package(Source):
    """Files of a pip wheel, an npm package or a Debian package at a pinned version. Its state is that version and a
    digest of the files."""

    name = "package"
    Options: ClassVar[type[Record]] = PackageOptions
    options: PackageOptions

    def __init__(self, options: Record, *, base: Path, cache: Path, suffixes: frozenset[str]) -> None:
        super().__init__(options, base=base, cache=cache, suffixes=suffixes)
        self._files: Files | None = None
        self._not_unpacked: dict[str, str] = {}
        self._version = ""

    def state(self) -> str:
        digest = self._fetched().state()
        return f"{self._version}:{digest}"

    def items(self) -> Iterator[Item]:
        yield from self._fetched().items()

    @property
    def skipped(self) -> dict[str, str]:
        return {**self._not_unpacked, **(self._files.skipped if self._files else {})}

    def _fetched(self) -> Files:
        if self._files is None:
            fetched, folder = fetch(self.options, self.cache)
            self._not_unpacked, self._version = fetched.skipped, fetched.version
            title = f"{self.options.manager}:{self.options.package}=={fetched.version}"
            self._files = Files(folder, self.options, self.suffixes, title)
        return self._files
