"""Pictures and labels in IDX files, the format of MNIST and its relatives (LeCun et al. 1998)."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, ClassVar

from PIL import Image
from pydantic import Field, ValidationError, model_validator

from genwright.core.errors import DataError
from genwright.core.explain import explain
from genwright.core.record import Record
from genwright.data.fetch.packages import Manager, PackageChoice, fetch
from genwright.data.files import FileOptions, Files
from genwright.data.item import Item
from genwright.data.sources.base import Source, sources

UNSIGNED_BYTES = 0x08
MOST_ITEMS, MOST_SIDE = 10_000_000, 4096


class IdxOptions(Record):
    manager: Manager | None = None
    package: str | None = Field(None, description="the package that holds the files")
    version: str | None = Field(None, description="its exact version; apt: default what this machine's lists offer")
    path: Path | None = Field(None, description="instead of a package: a folder on this machine")
    images: str = Field("*-images-idx3-ubyte*", description="glob of the files of pictures")
    labels: str | None = Field("*-labels-idx1-ubyte*", description="glob of their labels, paired in order; null: none")
    classes: list[str] | None = Field(None, min_length=1, description="names of the labels 0, 1, ...")
    licence: str = "unknown"

    @model_validator(mode="after")
    def _somewhere(self) -> IdxOptions:
        if (self.package is None) == (self.path is None):
            raise ValueError("give either `manager` and `package`, or `path`")
        try:
            _ = self.choice
        except ValidationError as error:
            raise ValueError("; ".join(explain(error, PackageChoice))) from error
        return self

    @property
    def choice(self) -> PackageChoice | None:
        """The package, where it is one."""
        told = {"manager": self.manager, "package": self.package, "version": self.version}
        return None if self.path is not None else PackageChoice.model_validate(told)


@sources.register
class Idx(Source):
    """Grey pictures of IDX files, gzipped or not, each with its label, in the order of the files' paths. Its state is a
    digest of the files, and the package's version."""

    name = "idx"
    Options: ClassVar[type[Record]] = IdxOptions
    options: IdxOptions

    def __init__(self, options: Record, *, base: Path, cache: Path, suffixes: frozenset[str]) -> None:
        super().__init__(options, base=base, cache=cache, suffixes=suffixes)
        self._skipped: dict[str, str] = {}

    @property
    def skipped(self) -> dict[str, str]:
        return self._skipped

    def state(self) -> str:
        title, images, labels = self._files()
        return ":".join([title, images.state(), *([labels.state()] if labels else [])])

    def items(self) -> Iterator[Item]:
        _, images, labels = self._files()
        named = list(labels.items()) if labels else None
        for place, (file, of) in enumerate(zip_longest(images.items(), named or [])):
            if named is not None and (file is None or of is None):
                there = f"{len(named)} files of labels" if of is None else f"{place} files of pictures"
                raise DataError("Files of pictures and of labels do not go in pairs.", got=there, do="correct the two globs")
            label = None if of is None else self._labels(of)
            yield from self._pictures(file, label)
        self._skipped |= images.skipped | (labels.skipped if labels else {})

    def _files(self) -> tuple[str, Files, Files | None]:
        """Where the files come from, those of pictures, and those of labels."""
        choice = self.options.choice
        if choice is None:
            assert self.options.path is not None
            root = self.base / self.options.path
            title = f"idx:{self.options.path}"
        else:
            fetched, root = fetch(choice, self.cache)
            self._skipped = dict(fetched.skipped)
            title = f"{choice.manager}:{choice.package}=={fetched.version}"

        def matching(glob: str) -> Files:
            chosen = FileOptions(include=[glob], licence=self.options.licence, item_mib=1024)
            return Files(root, chosen, frozenset(), title)

        return title, matching(self.options.images), matching(self.options.labels) if self.options.labels else None

    def _labels(self, file: Item) -> list[bytes]:
        with _Idx(file, axes=1) as idx:
            values = next(idx.blocks(idx.shape[0]), b"")
        classes = self.options.classes or [str(value) for value in range(256)]
        if values and max(values) >= len(classes):
            raise DataError(f"A label in {file.name} has no name.", got=max(values), allowed=f"0 to {len(classes) - 1}")
        return [classes[value].encode() for value in values]

    def _pictures(self, file: Item, labels: list[bytes] | None) -> Iterator[Item]:
        with _Idx(file, axes=3) as idx:
            count, height, width = idx.shape
            if not (1 <= height <= MOST_SIDE and 1 <= width <= MOST_SIDE):
                raise DataError(
                    f"{file.name} has pictures of odd size.", got=f"{height} x {width}", allowed=f"1 to {MOST_SIDE}"
                )
            if labels is not None and len(labels) != count:
                raise DataError(
                    f"{file.name} does not have one label for each picture.", got=f"{count} pictures, {len(labels)} labels"
                )
            for index, block in enumerate(idx.blocks(height * width)):
                png = io.BytesIO()
                Image.frombytes("L", (width, height), block).save(png, format="PNG")
                columns = {"content": png.getvalue()} | ({} if labels is None else {"label": labels[index]})
                yield Item(f"{file.name}/{index:06d}.png", columns, file.source, file.licence, file.collected_at)


class _Idx:
    """An IDX file of unsigned bytes that is read piece by piece: `shape` from its header, then its values.

    Raises DataError for bytes that are no such file, end early, or go on after their end.
    """

    def __init__(self, file: Item, *, axes: int) -> None:
        self.name = file.name
        raw = io.BytesIO(file.data)
        self._stream: BinaryIO = gzip.GzipFile(fileobj=raw) if file.data[:2] == b"\x1f\x8b" else raw  # type: ignore[assignment]
        header = self._read(4)
        if header != bytes([0, 0, UNSIGNED_BYTES, axes]):
            expected = f"00 00 {UNSIGNED_BYTES:02x} {axes:02x}"
            raise DataError(f"{self.name} is not an IDX file of bytes with {axes} axes.", got=header.hex(" "), allowed=expected)
        self.shape: tuple[int, ...] = struct.unpack(f">{axes}I", self._read(4 * axes))
        if self.shape[0] > MOST_ITEMS:
            raise DataError(f"{self.name} promises too many items.", got=self.shape[0], allowed=f"at most {MOST_ITEMS:,}")

    def __enter__(self) -> _Idx:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def blocks(self, size: int) -> Iterator[bytes]:
        """All values, in blocks of `size`, then the file must end."""
        left = 1
        for axis in self.shape:
            left *= axis
        while left:
            yield self._read(size)
            left -= size
        if self._some(1):
            raise DataError(f"{self.name} goes on after its end.", got=f"more than {list(self.shape)} bytes")

    def _read(self, size: int) -> bytes:
        found = self._some(size)
        if len(found) < size:
            raise DataError(f"{self.name} ends early.", got=f"{len(found)} bytes where {size} should be", do="fetch it again")
        return found

    def _some(self, size: int) -> bytes:
        """Up to `size` bytes."""
        try:
            return self._stream.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{self.name} is a damaged gzip file.", got=error, do="fetch it again") from error
