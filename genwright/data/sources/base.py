"""What a place data comes from must offer. One file each in `sources/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from genwright.core.plugins import Plugins
from genwright.core.record import Record
from genwright.data.fetch.unpack import opened, packed
from genwright.data.files import FileOptions, Files
from genwright.data.item import Item
from genwright.data.readers.tar import Tar


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


@dataclass(frozen=True)
class Fetched:
    """Files of a source as they lie on this machine: below a folder, in an archive, or one alone. `title` says where they
    come from, `version` what the place says of them, `left_out` what did not come along; `every`: without `include` all are
    wanted."""

    root: Path
    title: str
    version: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    every: bool = False


class FilesSource(Source):
    """A place that has files, in whatever form. Its state is a digest of their contents."""

    options: FileOptions
    _packed: Mapping[str, str] = MappingProxyType({})
    """Members of an archive that were left out."""

    @abstractmethod
    def fetch(self) -> Fetched:
        """Bring the files here. Raises DataError."""

    @cached_property
    def fetched(self) -> Fetched:
        """They are asked for once in the life of a source."""
        return self.fetch()

    @cached_property
    def _files(self) -> Files:
        options, root = self.options, self.fetched.root
        if self.fetched.every and options.include is None:
            options = options.model_copy(update={"include": ["*"]})
        if packed(root) and options.form.kind != Tar.name:  # shards are read as they are
            root, self._packed = opened(root, self.cache)
        return Files(root, options, self.suffixes, self.fetched.title)

    def state(self) -> str:
        digest = self._files.state()
        return f"{self.fetched.version}:{digest}" if self.fetched.version else digest

    def items(self) -> Iterator[Item]:
        yield from self._files.items()

    @property
    def skipped(self) -> dict[str, str]:
        own = self._files.skipped
        return {**self.fetched.left_out, **self._packed, **own}


sources: Plugins[Source] = Plugins("sources", "genwright.data.sources")
