"""Python's standard library: the source code that every installation of Python has."""

from __future__ import annotations

import platform
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from genwright.core.record import Record
from genwright.data.files import FileOptions, Files
from genwright.data.item import Item
from genwright.data.sources.base import Source, sources

NOT_THE_LIBRARY = ("site-packages/", "dist-packages/", "test/", "tests/", "idle_test/", "__pycache__/", "_sysconfigdata*")


class StdlibOptions(Record):
    exclude: list[str] = []


@sources.register
class Stdlib(Source):
    """The `.py` files of the running interpreter's library, tests left out, under the PSF licence, labelled with the package
    they are part of where they are. Its state is the Python version and a digest of the files."""

    name = "stdlib"
    Options: ClassVar[type[Record]] = StdlibOptions
    options: StdlibOptions

    def __init__(self, options: Record, *, base: Path, cache: Path, suffixes: frozenset[str]) -> None:
        super().__init__(options, base=base, cache=cache, suffixes=suffixes)
        exclude = [*NOT_THE_LIBRARY, *self.options.exclude]
        chosen = FileOptions(include=["*.py"], exclude=exclude, labels="subfolder", licence="PSF-2.0")
        root = Path(sysconfig.get_path("stdlib"))
        self._files = Files(root, chosen, suffixes, f"stdlib:{platform.python_version()}")

    def state(self) -> str:
        return f"{platform.python_version()}:{self._files.state()}"

    def items(self) -> Iterator[Item]:
        return self._files.items()

    @property
    def skipped(self) -> dict[str, str]:
        return self._files.skipped
