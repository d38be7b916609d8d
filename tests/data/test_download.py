"""Downloads over a real server that breaks off, drips, lies and redirects."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genwright.core.errors import DataError
from genwright.data.fetch import download as module
from genwright.data.fetch.download import Wanted, download
from tests.web import Web, serving

BODY = os.urandom(300_000)
LOCAL = frozenset({"127.0.0.1"})


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    with serving() as served:
        served.body = BODY
        yield served


def wanted(web: Web, path: str = "/data/file.bin", **options: object) -> Wanted:
    settings: dict[str, object] = {"limit": 10**6, "seconds": 20.0, "allow_hosts": LOCAL, **options}
    return Wanted(web.url + path, **settings)  # type: ignore[arg-type]


def test_a_file_arrives_with_what_the_server_says_of_it(web: Web, tmp_path: Path) -> None:
    fetched, path = download(wanted(web, "/data/my%20file.bin?x=1"), tmp_path)
    assert path.read_bytes() == BODY
    assert (fetched.name, fetched.size, fetched.etag) == ("my_file.bin", len(BODY), web.etag)
    assert fetched.sha256 == hashlib.sha256(BODY).hexdigest()
    assert fetched.modified == "2023-11-14T22:13:20+00:00"
    assert path.stat().st_mtime == 1_700_000_000


def test_a_broken_download_is_continued_where_it_stopped(web: Web, tmp_path: Path) -> None:
    web.breaks, web.errors = [100_000, 50_000], [503]
    _, path = download(wanted(web), tmp_path)
    assert path.read_bytes() == BODY
    assert web.sent == len(BODY)  # no byte came twice
    assert [headers.get("range") for _, headers in web.requests] == [None, None, "bytes=100000-", "bytes=150000-"]


def test_what_arrived_is_kept_for_the_next_run(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    web.breaks = [100_000]
    with pytest.raises(DataError, match="kept and continued"):
        download(wanted(web), tmp_path)
    assert download(wanted(web), tmp_path)[1].read_bytes() == BODY
    assert web.sent == len(BODY)


def test_a_file_that_changed_in_between_is_fetched_whole(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    web.breaks = [100_000]
    with pytest.raises(DataError):
        download(wanted(web), tmp_path)
    web.body = BODY[::-1]
    assert download(wanted(web), tmp_path)[1].read_bytes() == BODY[::-1]


def test_without_validators_a_broken_download_begins_again(web: Web, tmp_path: Path) -> None:
    web.validators, web.breaks = False, [100_000]
    assert download(wanted(web), tmp_path)[1].read_bytes() == BODY


def test_an_unchanged_file_is_not_fetched_again(web: Web, tmp_path: Path) -> None:
    first = download(wanted(web), tmp_path)
    assert download(wanted(web), tmp_path) == first
    assert web.sent == len(BODY)
    web.body = b"new"
    assert download(wanted(web), tmp_path)[1].read_bytes() == b"new"


def test_a_pinned_file_is_not_even_asked_for_again(web: Web, tmp_path: Path) -> None:
    pin = hashlib.sha256(BODY).hexdigest()
    download(wanted(web, sha256=pin), tmp_path)
    download(wanted(web, sha256=pin), tmp_path)
    assert len(web.requests) == 1


def test_a_file_that_is_not_the_pinned_one_is_refused(web: Web, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not the file the recipe pins"):
        download(wanted(web, sha256="0" * 64), tmp_path)
    assert not (tmp_path / "content").exists()


def test_an_altered_cache_is_fetched_again(web: Web, tmp_path: Path) -> None:
    path = download(wanted(web), tmp_path)[1]
    path.write_bytes(BODY[:-1] + b"?")
    assert download(wanted(web), tmp_path)[1].read_bytes() == BODY


def test_an_endless_body_stops_at_the_limit(web: Web, tmp_path: Path) -> None:
    web.endless = True
    with pytest.raises(DataError, match="too large"):
        download(wanted(web), tmp_path)
    assert web.sent * 65536 < 20 * 10**6
    assert not (tmp_path / "partial").exists()


def test_a_file_that_says_it_is_too_large_is_not_begun(web: Web, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="raise `mib`"):
        download(wanted(web, limit=1000), tmp_path)
    assert not (tmp_path / "content").exists()


@pytest.mark.parametrize("what", ["drip", "drip_headers"])
def test_a_dripping_server_is_left_at_the_deadline(web: Web, tmp_path: Path, what: str) -> None:
    setattr(web, what, True)
    began = time.monotonic()
    with pytest.raises(DataError, match="longer than is allowed"):
        download(wanted(web, seconds=0.5), tmp_path)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("target", ["http://localhost:{port}/", "http://2130706433:{port}/", "http://[::1]:{port}/"])
def test_a_redirect_does_not_lead_inside(web: Web, tmp_path: Path, target: str) -> None:
    with serving() as inner:
        inner.body = b"secret"
        web.redirect = target.format(port=inner.server_port)
        with pytest.raises(DataError, match="not on the public internet"):
            download(wanted(web), tmp_path)
        assert inner.requests == []
        web.redirect = f"{inner.url}/there"  # the control: an allowed host is followed to
        assert download(wanted(web), tmp_path)[1].read_bytes() == b"secret"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/again"])
def test_redirects_elsewhere_and_in_circles_are_refused(web: Web, tmp_path: Path, target: str) -> None:
    web.redirect = target
    with pytest.raises(DataError, match="cannot be fetched"):
        download(wanted(web), tmp_path)


def test_a_missing_file_says_so_at_once(web: Web, tmp_path: Path) -> None:
    web.errors = [404]
    with pytest.raises(DataError, match="404 Not Found"):
        download(wanted(web), tmp_path)
    assert len(web.requests) == 1


def test_a_host_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    with pytest.raises(DataError, match=r"127\.0\.0\.1:1/x cannot be fetched"):
        download(Wanted("http://127.0.0.1:1/x", 10, 5, LOCAL), tmp_path)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on this machine")
def test_a_certificate_is_checked_against_the_name_asked_for(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {certificate} -subj /CN=localhost"
    subprocess.run([*command.split(), "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    hosts = frozenset({"localhost", "127.0.0.1"})
    by_name = Wanted(f"https://localhost:{web.server_port}/a", 10**6, 20, hosts)
    with pytest.raises(DataError, match="CERTIFICATE_VERIFY_FAILED"):
        download(by_name, tmp_path / "untrusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert download(by_name, tmp_path / "trusted")[1].read_bytes() == BODY
    by_address = Wanted(f"https://127.0.0.1:{web.server_port}/a", 10**6, 20, hosts)
    with pytest.raises(DataError, match="CERTIFICATE_VERIFY_FAILED"):
        download(by_address, tmp_path / "misnamed")
