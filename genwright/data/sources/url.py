"""A file or an archive on the web."""

from __future__ import annotations

import hashlib
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from genwright.core.record import Record
from genwright.data.fetch.unpack import UnpackLimits, is_archive, unpacked
from genwright.data.files import FileOptions
from genwright.data.sources.base import Fetched, FilesSource, sources


class UrlOptions(FileOptions):
    url: str
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="the file's hash; then it is asked for only once")
    unpack: bool | None = Field(None, description="default: when the address ends like an archive (.zip, .tar.gz, ...)")
    allow_hosts: list[str] = Field(default_factory=list, description="hosts that may have private or loopback addresses")
    mib: float = Field(2048.0, gt=0, description="largest download")
    minutes: float = Field(30.0, gt=0, description="longest download")
    unpacked_mib: float = Field(8192.0, gt=0, description="most that an archive may unpack to")

    @field_validator("url")
    @classmethod
    def _web(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an address that begins with http:// or https://")
        if parts.username or parts.password:
            raise ValueError("a recipe is no place for a user name or password; leave them out of the address")
        return url


@sources.register
class Url(FilesSource):
    """One file, or the files of an archive, at an http or https address.

    Links, devices and paths that lead out of an archive are skipped and reported.
    """

    name = "url"
    Options: ClassVar[type[Record]] = UrlOptions
    options: UrlOptions

    def fetch(self) -> Fetched:
        from genwright.data.fetch.download import Wanted, download  # httpx, which other sources need not wait for

        options = self.options
        folder = self.cache / "web" / hashlib.sha256(options.url.encode()).hexdigest()[:32]
        wanted = Wanted(
            options.url, int(options.mib * 2**20), options.minutes * 60, frozenset(options.allow_hosts), options.sha256
        )
        _, file = download(wanted, folder)
        title = f"url:{options.url}"
        if options.unpack if options.unpack is not None else is_archive(file.name):
            root, left_out = unpacked(file, folder, UnpackLimits(bytes=int(options.unpacked_mib * 2**20)))
            return Fetched(root, title, left_out=left_out)
        return Fetched(file.parent, title, every=True)
