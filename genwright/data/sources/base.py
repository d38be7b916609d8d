"""What a place data comes from must offer. One file each in `sources/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from genwright.core.plugins import Plugins
from genwright.core.record import Record
from genwright.data.item import Item


class Source(ABC):
    """A place data comes from, with validated options.

    `base` is the folder relative paths in options are resolved against (the workspace); `cache` is a folder the source
    may keep downloads in between runs, `suffixes` the file endings the content's modality reads.
    """

    name: ClassVar[str]
    Options: ClassVar[type[Record]]

    def __init__(self, options: Record, *, base: Path, cache: Path, suffixes: frozenset[str]) -> None:
        self.options, self.base, self.cache, self.suffixes = options, base, cache, suffixes

    @abstractmethod
    def state(self) -> str:
        """What identifies the source's bytes now, without reading more than needed: a digest of file hashes, an ETag,
        a pinned version. Equal states mean that collecting again gives the same items. Raises DataError."""

    @abstractmethod
    def items(self) -> Iterator[Item]:
        """The items, streamed in a stable order. Raises DataError when the source cannot be read; single bad files are
        yielded as they are (cleaning quarantines them) or reported through `skipped`."""

    @property
    def skipped(self) -> dict[str, str]:
        """Names that were not collected, with the reason (a symlink out of the folder, a device, over the size cap)."""
        return {}


sources: Plugins[Source] = Plugins("sources", "genwright.data.sources")
