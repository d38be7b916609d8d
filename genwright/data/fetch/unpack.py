"""Archives nobody vouches for: unpacked without leaving the folder and without filling the disk.

Only plain files are written, each below the target folder. Links, devices, absolute paths and paths with `..` are left out
and reported; an archive that grows beyond its limits (a bomb) or is damaged is refused whole.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import json
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from calendar import timegm
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from genwright.core.durable import exclusive, sha256, write_json
from genwright.core.errors import DataError

SUFFIXES = (".zip", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Endings of the archives that are unpacked."""

SKIPPED = "skipped.json"
PIECE = 2**20
LATEST = 4102444800.0
"""2100-01-01, the last time a member is believed to have been changed."""
DIRECTORY_BYTES = 64 * 2**20
"""Largest table of contents of a zip; it is read whole into memory."""
HEADER_BYTES = 2**20
"""Largest headers of a tar member; they are read whole into memory."""

_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, struct.error),
    *(ValueError, ArithmeticError, LookupError, RecursionError),  # zipfile and tarfile raise these on made-up headers
)
_COMPRESSED: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


@dataclass(frozen=True)
class UnpackLimits:
    """What unpacking one archive may write. `ratio` is bytes out for each byte in and counts from 64 MiB on, so that
    small, very repetitive archives pass."""

    bytes: int = 8 * 2**30
    files: int = 500_000
    ratio: float = 200.0


def is_archive(name: str) -> bool:
    """Whether a file name ends like an archive that can be unpacked."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, into: Path, limits: UnpackLimits | None = None) -> dict[str, str]:
    """Write the plain files of a zip or tar below `into`; returns the members left out, with the reason.

    Raises DataError when the file is no archive, is damaged, or goes beyond the limits; `into` is then removed.
    """
    target = _Target(into, archive.stat().st_size, limits or UnpackLimits())
    with _whole_or_nothing(archive.name, into):
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, target)
        else:
            with archive.open("rb") as file:
                start = file.read(6)
            opener = next((opener for magic, opener in _COMPRESSED.items() if start.startswith(magic)), None)
            with archive.open("rb") if opener is None else opener(archive) as stream:
                _unpack_tar(stream, target)
    return target.skipped


def unpacked(archive: Path, folder: Path, limits: UnpackLimits | None = None) -> tuple[Path, dict[str, str]]:
    """Where the files of an archive lie, unpacked below `folder` the first time, and the members that were left out. What was
    unpacked of earlier bytes of the same archive goes."""
    place = folder / f"unpacked-{sha256(archive)[:32]}"
    with exclusive(folder / "unpack.lock", busy="", wait=True):
        if not (place / SKIPPED).is_file():
            for old in folder.glob("unpacked-*"):
                shutil.rmtree(old)
            write_json(place / SKIPPED, unpack(archive, place / "files", limits))
        return place / "files", json.loads((place / SKIPPED).read_text())


def unpack_tar(stream: IO[bytes], size: int, name: str, into: Path, limits: UnpackLimits | None = None) -> dict[str, str]:
    """As `unpack`, for an uncompressed tar that comes through a pipe; `size` is that of the compressed original."""
    target = _Target(into, size, limits or UnpackLimits())
    with _whole_or_nothing(name, into):
        _unpack_tar(stream, target)
    return target.skipped


@contextmanager
def _whole_or_nothing(name: str, into: Path) -> Iterator[None]:
    into.mkdir(parents=True)
    try:
        yield
    except DataError:
        shutil.rmtree(into)
        raise
    except _DAMAGED as error:
        shutil.rmtree(into)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise DataError(f"The disk is full: {name} cannot be unpacked.", do=f"free space around {into.parent}") from error
        raise DataError(
            f"{name} is damaged or no archive.", got=error, allowed=" ".join(SUFFIXES), do="fetch it again"
        ) from error


def unsafe(name: str) -> str | None:
    """None, or the reason why a member's name is not taken as a path below the target folder."""
    plain = name.replace("\\", "/")
    if not plain.strip("/. ") or "\0" in plain:
        return "no usable name"
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
        return "an absolute path"
    if ".." in PurePosixPath(plain).parts:
        return "a path that leads out of the archive"
    return None


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Target:
    """The folder written to, and how much went into it."""

    def __init__(self, folder: Path, size: int, limits: UnpackLimits) -> None:
        self.folder, self.limits = folder, limits
        self.skipped: dict[str, str] = {}
        self._allowed = min(limits.bytes, int(max(64 * 2**20, limits.ratio * size)))
        self._bytes = self._files = 0

    def count(self, size: int) -> None:
        """Note bytes that came out of the archive, written or not."""
        self._bytes += size
        if self._bytes > self._allowed:
            raise DataError(
                "The archive unpacks to more than is allowed; it may be a bomb.",
                got=f"more than {self._allowed / 2**20:.0f} MiB",
                allowed=f"{self.limits.bytes / 2**20:.0f} MiB, and {self.limits.ratio:g} times its own size",
            )

    def skip(self, name: str, reason: str) -> None:
        """Note why a member is left out."""
        self.skipped[name.encode("utf-8", "backslashreplace").decode()] = reason

    def write(self, name: str, stream: Readable, modified: float) -> None:
        """Write one member, or note why not."""
        reason = unsafe(name)
        if reason is not None:
            self.skip(name, reason)
            return
        self._files += 1
        if self._files > self.limits.files:
            raise DataError("The archive holds too many files.", allowed=self.limits.files)
        path = self.folder / name.replace("\\", "/")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb")
        except FileExistsError:
            self.skip(name, "the name occurs twice")
            return
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise
            self.skip(name, f"the name cannot be written: {getattr(error, 'strerror', None) or error}")
            return
        with file:
            while piece := stream.read(PIECE):
                file.write(piece)
        modified = min(max(0.0, modified), LATEST) if isfinite(modified) else 0.0
        os.utime(path, (modified, modified))


class _Counted:
    """A stream that tells the target what was read from it. `allowance` bounds what is read until it is set anew."""

    def __init__(self, stream: IO[bytes], target: _Target, allowance: float = inf) -> None:
        self._stream, self._target, self.allowance = stream, target, allowance

    def read(self, size: int = PIECE) -> bytes:
        data = self._stream.read(size)
        self.allowance -= len(data)
        if self.allowance < 0:
            raise DataError("A header in the archive is too large.", allowed=f"{HEADER_BYTES / 2**20:g} MiB")
        self._target.count(len(data))
        return data


def _unpack_tar(stream: IO[bytes], target: _Target) -> None:
    counted = _Counted(stream, target, HEADER_BYTES)
    with tarfile.open(fileobj=counted, mode="r|") as tar:  # type: ignore[call-overload]
        members = 0
        while (member := tar.next()) is not None:
            # tarfile would keep every header it has seen
            tar.members = []
            tar.pax_headers.clear()
            members += 1
            if members > 2 * target.limits.files:
                raise DataError("The archive holds too many members.", allowed=2 * target.limits.files)
            if member.issparse():
                raise DataError("The archive holds a sparse file.", got=member.name, do="pack it again without `--sparse`")
            counted.allowance = inf
            if member.isreg():
                content = tar.extractfile(member)
                assert content is not None
                target.write(member.name, content, member.mtime)
                while content.read(PIECE):  # what was not written is skipped here, so that only headers are read next
                    pass
            elif not member.isdir():
                target.skip(member.name, "a link, device or pipe, not a plain file")
            counted.allowance = HEADER_BYTES


def _unpack_zip(archive: Path, target: _Target) -> None:
    _check_directory(archive, target.limits)
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                target.skip(member.filename, "a link, device or pipe, not a plain file")
            elif member.flag_bits & 0x1:
                target.skip(member.filename, "encrypted")
            else:
                try:
                    with opened.open(member) as stream:
                        target.write(member.filename, _Counted(stream, target), _zip_time(member))
                except NotImplementedError as error:
                    target.skip(member.filename, f"cannot be decompressed: {error}")


def _zip_time(member: zipfile.ZipInfo) -> float:
    """A member's time, taken as UTC; the first that a zip can hold where it holds none."""
    try:
        return timegm((*member.date_time, 0, 0, 0))
    except ValueError:
        return timegm((1980, 1, 1, 0, 0, 0))


def _check_directory(archive: Path, limits: UnpackLimits) -> None:
    """Refuse a zip whose table of contents would not fit in memory, before it is read (APPNOTE 4.3.14, 4.3.16)."""
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - 2**16 - 200))
        tail = file.read()
    end, wide = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")
    size = struct.unpack_from("<L", tail, end + 12)[0]
    if size == 0xFFFFFFFF and wide >= 0:
        size = struct.unpack_from("<Q", tail, wide + 40)[0]
    if size > DIRECTORY_BYTES:
        raise DataError(
            "The archive's table of contents is too large.",
            got=f"{size / 2**20:.0f} MiB",
            allowed=f"{DIRECTORY_BYTES / 2**20:.0f} MiB, about {limits.files} files",
        )


def packed(path: Path) -> bool:
    """Whether a path is an archive, whose files are meant."""
    return path.is_file() and is_archive(path.name)


def opened(archive: Path, cache: Path) -> tuple[Path, dict[str, str]]:
    """The folder with the files of an archive on this machine, and the members that were left out."""
    return unpacked(archive, cache / "archives" / hashlib.sha256(str(archive.resolve()).encode()).hexdigest()[:32])
