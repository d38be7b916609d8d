"""Files from the web: resumed after a break (RFC 9110, ranges), not fetched again while they are unchanged, bounded."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO
from urllib.parse import unquote

import httpx

from genwright.core import stored
from genwright.core.durable import exclusive, sha256, sync
from genwright.core.errors import DataError
from genwright.core.stored import Stored
from genwright.data.fetch.network import NETWORK_ERRORS, GuardedTransport

ATTEMPTS = 6
PAUSE = 0.2
"""Tries of one download, and seconds before the second; each further pause is twice as long."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}


class Download(Stored):
    """A file in the cache and what the server said of it. `modified` is when it says the file changed, else when it
    arrived (ISO 8601, UTC)."""

    form = "download"

    url: str
    name: str
    sha256: str
    size: int
    modified: str
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class Wanted:
    """What to fetch and how far to go: at most `limit` bytes within `seconds`, from public hosts and `allow_hosts`."""

    url: str
    limit: int
    seconds: float
    allow_hosts: Collection[str] = ()
    sha256: str | None = None


class _Interrupted(Exception):
    """The connection or the server failed in a way that may pass."""


def download(wanted: Wanted, folder: Path) -> tuple[Download, Path]:
    """The file, fetched into `folder` or found there: with the pinned hash without asking, else when the server says
    that it is unchanged. What arrived before a break is kept and continued, in this call or a later one.

    Raises DataError when the host is not allowed or does not answer, at the limits, and when the hash is not the pinned one.
    """
    with exclusive(folder / "lock", busy="", wait=True):
        known = _known(folder)
        if known and wanted.sha256 == known.sha256:
            return known, folder / "content" / known.name
        transport = GuardedTransport(wanted.allow_hosts, time.monotonic() + wanted.seconds)
        headers = {"Accept-Encoding": "identity", "User-Agent": "genwright"}
        with httpx.Client(transport=transport, headers=headers, timeout=30, follow_redirects=True, max_redirects=5) as client:
            for attempt in range(ATTEMPTS):
                try:
                    fetched = _Attempt(client, wanted, folder, known).run()
                except (httpx.InvalidURL, httpx.TooManyRedirects, httpx.UnsupportedProtocol) as error:
                    raise _unreachable(wanted.url, error) from error
                except (_Interrupted, *NETWORK_ERRORS) as error:
                    if attempt == ATTEMPTS - 1:
                        raise _unreachable(wanted.url, error) from error
                    time.sleep(PAUSE * 2**attempt)
                else:
                    return fetched, folder / "content" / fetched.name
    raise AssertionError("unreachable")


class _Attempt:
    """One request: for the rest of what arrived before, for the file if it changed, or for the whole file."""

    def __init__(self, client: httpx.Client, wanted: Wanted, folder: Path, known: Download | None) -> None:
        self.client, self.wanted, self.folder, self.known = client, wanted, folder, known
        self.partial, self.validator = folder / "partial", folder / "partial.validator"

    def run(self) -> Download:
        have = self.partial.stat().st_size if self.partial.is_file() and self.validator.is_file() else 0
        with self.client.stream("GET", self.wanted.url, headers=self._headers(have)) as response:
            if response.status_code == 304 and self.known:
                return self.known
            have = self._checked(response, have)
            self._check_size(have + int(response.headers.get("content-length", 0)))
            with self.partial.open("ab" if have else "wb") as file:
                self._receive(response, file, have)
            return self._finished(response)

    def _headers(self, have: int) -> dict[str, str]:
        if have:
            return {"Range": f"bytes={have}-", "If-Range": self.validator.read_text()}
        if self.known and self.wanted.sha256 is None:
            if self.known.etag:
                return {"If-None-Match": self.known.etag}
            if self.known.last_modified:
                return {"If-Modified-Since": self.known.last_modified}
        return {}

    def _checked(self, response: httpx.Response, have: int) -> int:
        """The bytes to keep of what arrived before. Raises _Interrupted or DataError by status."""
        status = response.status_code
        if status == 206 and have:
            if response.headers.get("content-range", "").startswith(f"bytes {have}-"):
                return have
            self._forget()
            raise _Interrupted("the server continued at the wrong place")
        if status == 200:
            self._forget()
            etag = response.headers.get("etag", "")
            strong = etag if etag.startswith('"') else response.headers.get("last-modified")
            if strong:
                self.validator.write_text(strong)
            return 0
        if status == 416:
            self._forget()
        if status == 416 or status in _PASSING:
            raise _Interrupted(f"the server answered {status} {response.reason_phrase}")
        raise DataError(
            f"{self.wanted.url} cannot be fetched.",
            got=f"{status} {response.reason_phrase}",
            do="open the address in a browser and correct `url` in the recipe",
        )

    def _receive(self, response: httpx.Response, file: IO[bytes], have: int) -> None:
        for piece in response.iter_raw():
            have += len(piece)
            self._check_size(have)
            file.write(piece)

    def _check_size(self, size: int) -> None:
        if size > self.wanted.limit:
            self._forget()
            raise DataError(
                f"{self.wanted.url} is too large.",
                got=f"more than {self.wanted.limit / 2**20:g} MiB",
                allowed=f"{self.wanted.limit / 2**20:g} MiB",
                do="raise `mib` of the source in the recipe",
            )

    def _finished(self, response: httpx.Response) -> Download:
        """Put the file in its place, its record last."""
        digest = sha256(self.partial)
        if self.wanted.sha256 not in (None, digest):
            self._forget()
            raise DataError(
                f"{self.wanted.url} is not the file the recipe pins.",
                got=digest,
                allowed=self.wanted.sha256,
                do="find out why it changed; if the new file is right, correct `sha256` in the recipe",
            )
        changed = _moment(response.headers.get("last-modified"))
        fetched = Download(
            url=self.wanted.url,
            name=_file_name(self.wanted.url),
            sha256=digest,
            size=self.partial.stat().st_size,
            modified=changed.isoformat(timespec="seconds"),
            etag=response.headers.get("etag"),
            last_modified=response.headers.get("last-modified"),
        )
        place = self.folder / "content" / fetched.name
        place.parent.mkdir(exist_ok=True)
        (self.folder / "download.json").unlink(missing_ok=True)
        os.utime(self.partial, (changed.timestamp(), changed.timestamp()))
        sync(self.partial)
        self.partial.replace(place)
        self.validator.unlink(missing_ok=True)
        stored.write(self.folder / "download.json", fetched)
        return fetched

    def _forget(self) -> None:
        self.partial.unlink(missing_ok=True)
        self.validator.unlink(missing_ok=True)


def _known(folder: Path) -> Download | None:
    """What the cache holds, when it is whole."""
    known = stored.readable(Download, folder / "download.json")
    if known is None:
        return None
    place = folder / "content" / known.name
    return known if place.is_file() and place.stat().st_size == known.size and sha256(place) == known.sha256 else None


def _moment(header: str | None) -> datetime:
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.now(UTC)


def _file_name(url: str) -> str:
    last = unquote(httpx.URL(url).path).rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w.-]+", "_", last).lstrip(".")[-100:] or "download"


def _unreachable(url: str, error: Exception) -> DataError:
    return DataError(
        f"{url} cannot be fetched.",
        got=str(error) or type(error).__name__,
        do="check the address and the connection, then run again: what has arrived is kept and continued",
    )
