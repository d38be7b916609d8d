"""Files at an address that fsspec opens: `s3://`, `gs://`, `az://`, `sftp://`, `hf://datasets/OWNER/NAME` and others.

The files are copied once and then only where they changed, so that a run that was broken off goes on, and a second one reads
what is here. Credentials come from the environment, as the library of each kind of address has it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from genwright.core.durable import exclusive, write_json
from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.fetch.unpack import unsafe
from genwright.data.files import FileOptions
from genwright.data.sources.base import Fetched, FilesSource, sources

SECRET = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)
PIECE = 8 * 2**20
STAMPS = ("ETag", "etag", "blob_id", "LastModified", "last_modified", "mtime", "created", "md5", "checksum", "size")
"""What a listing says of a file, by which it is told that it changed."""


class RemoteOptions(FileOptions):
    address: str = Field(pattern=r"^[a-z0-9+.-]+://.", description="of a folder or a file, e.g. s3://bucket/pictures")
    storage: dict[str, Any] = Field(
        default_factory=dict,
        description="options of the library that opens it, e.g. {anon: true, endpoint_url: ...}; no secrets",
    )
    mib: float = Field(16384.0, gt=0, description="most that is copied")

    @field_validator("storage")
    @classmethod
    def _no_secrets(cls, value: dict[str, Any]) -> dict[str, Any]:
        if found := [name for name in _names(value) if SECRET.search(name)]:
            raise ValueError(f"a recipe is no place for {found[0]!r}; set it in the environment")
        return value


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _names(inner)


@sources.register
class Remote(FilesSource):
    """The files at an address, in any form."""

    name = "remote"
    Options: ClassVar[type[Record]] = RemoteOptions
    options: RemoteOptions

    def fetch(self) -> Fetched:
        told = hashlib.sha256(f"{self.options.address} {self.options.storage}".encode()).hexdigest()
        folder = self.cache / "remote" / told[:32]
        with exclusive(folder.parent / f"{told[:32]}.lock", busy="", wait=True):
            root, left_out = self._copied(folder)
        return Fetched(root, f"remote:{self.options.address}", left_out=left_out)

    def _copied(self, folder: Path) -> tuple[Path, dict[str, str]]:
        """The folder, or file, that is as the address is now, and what was left out. Raises DataError."""
        try:
            fs, root = _filesystem(self.options)
            found = {path: about for path, about in fs.find(root, detail=True).items() if about.get("type") == "file"}
        except Exception as error:  # each library raises its own
            raise self._unreached(error) from error
        if not found:
            raise DataError(f"There is nothing at {self.options.address}.", do="correct `address` in the recipe")
        size = sum(int(about.get("size") or 0) for about in found.values())
        if size > self.options.mib * 2**20:
            got, do = f"{size / 2**20:,.0f} MiB", "raise `mib`, or name a folder with less in it"
            raise DataError(f"There is more at {self.options.address} than may be copied.", got=got, do=do)
        return self._synchronised(fs, root, found, folder)

    def _synchronised(self, fs: Any, root: str, found: dict[str, Any], folder: Path) -> tuple[Path, dict[str, str]]:
        files, ledger = folder / "files", folder / "known.json"
        known: dict[str, str] = json.loads(ledger.read_text()) if ledger.is_file() else {}
        wanted: dict[str, str] = {}
        left_out: dict[str, str] = {}
        for path, about in sorted(found.items()):
            name = path.removeprefix(root).lstrip("/") or path.rpartition("/")[2]
            if (reason := unsafe(name)) is not None:
                left_out[name] = reason
                continue
            stamp = json.dumps({key: str(about[key]) for key in STAMPS if about.get(key) is not None}, sort_keys=True)
            wanted[name] = stamp
            if known.get(name) == stamp and (files / name).is_file():
                continue
            self._copy(fs, path, files / name)
            known[name] = stamp
            write_json(ledger, known)
        for gone in set(known) - set(wanted):
            (files / gone).unlink(missing_ok=True)
        write_json(ledger, wanted)
        alone = len(found) == 1 and next(iter(found)) == root
        return (files / next(iter(wanted)) if alone and wanted else files), left_out

    def _copy(self, fs: Any, path: str, to: Path) -> None:
        """One file, whole or not at all."""
        to.parent.mkdir(parents=True, exist_ok=True)
        beside = to.with_name(f".{to.name}.part")
        try:
            with fs.open(path, "rb") as source, beside.open("wb") as file:
                shutil.copyfileobj(source, file, PIECE)
        except Exception as error:
            beside.unlink(missing_ok=True)
            raise self._unreached(error) from error
        beside.replace(to)

    def _unreached(self, error: Exception) -> DataError:
        kind = self.options.address.partition("://")[0]
        if isinstance(error, (ImportError, ValueError)) and "nstall" in str(error):
            return DataError(
                f"Addresses of {kind}:// need a package more.", got=error, do=f"pip install {PACKAGES.get(kind, kind)}"
            )
        do = "see whether the address is right and its credentials are in the environment, then run the same command again"
        return DataError(f"{self.options.address} cannot be read.", got=f"{type(error).__name__}: {error}", do=do)


PACKAGES = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "hf": "huggingface_hub",
    "sftp": "paramiko",
    "ssh": "paramiko",
}


def _filesystem(options: RemoteOptions) -> tuple[Any, str]:
    import fsspec

    fs, root = fsspec.core.url_to_fs(options.address, **options.storage)
    fs.invalidate_cache()
    return fs, root
