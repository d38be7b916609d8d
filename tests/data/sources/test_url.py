"""A web address as a source: one file, or an archive."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from genwright.core.errors import DataError
from genwright.data.sources.url import Url, UrlOptions
from tests.web import Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as served:
        yield served


def source(base: Path, url: str, suffix: str = ".txt", **options: object) -> Url:
    chosen = UrlOptions.model_validate({"url": url, "allow_hosts": ["127.0.0.1"], **options})
    return Url(chosen, base=base, cache=base / "cache", suffixes=frozenset({suffix}))


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("set/cat/one.txt", "one")
        opened.writestr("set/dog/two.txt", "two")
        opened.writestr("set/readme.md", "about")
        opened.writestr("../../planted.txt", "planted")
    return packed.getvalue()


def test_an_archive_gives_its_files_with_labels(web: Web, tmp_path: Path) -> None:
    web.body = archive()
    made = source(tmp_path, f"{web.url}/set.zip", labels="parent", licence="MIT")
    items = list(made.items())
    assert [(item.name, item.data, item.columns.get("label")) for item in items] == [
        ("set/cat/one.txt", b"one", b"cat"),
        ("set/dog/two.txt", b"two", b"dog"),
    ]
    assert {(item.source, item.licence) for item in items} == {(f"url:{web.url}/set.zip", "MIT")}
    assert made.skipped == {"../../planted.txt": "a path that leads out of the archive"}
    assert not list(tmp_path.rglob("planted.txt"))


def test_a_second_source_uses_the_cache_and_agrees(web: Web, tmp_path: Path) -> None:
    web.body = archive()
    first = source(tmp_path, f"{web.url}/set.zip")
    state, items = first.state(), list(first.items())
    second = source(tmp_path, f"{web.url}/set.zip")
    assert (second.state(), list(second.items()), second.skipped) == (state, items, first.skipped)
    assert web.sent == len(web.body)


def test_a_new_archive_changes_the_state(web: Web, tmp_path: Path) -> None:
    web.body = archive()
    before = source(tmp_path, f"{web.url}/set.tar.gz", unpack=True).state()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as opened:
        info = tarfile.TarInfo("three.txt")
        info.size = 5
        opened.addfile(info, io.BytesIO(b"three"))
    web.body = packed.getvalue()
    after = source(tmp_path, f"{web.url}/set.tar.gz")
    assert after.state() != before
    assert [item.name for item in after.items()] == ["three.txt"]


def test_one_file_is_collected_whatever_its_ending(web: Web, tmp_path: Path) -> None:
    web.body = b"hello"
    (item,) = source(tmp_path, f"{web.url}/get?id=7", suffix=".png").items()
    assert (item.name, item.data, item.collected_at) == ("get", b"hello", "2023-11-14T22:13:20+00:00")


def test_loopback_is_refused_unless_the_recipe_allows_it(web: Web, tmp_path: Path) -> None:
    web.body = b"secret"
    with pytest.raises(DataError, match="allow_hosts"):
        source(tmp_path, f"{web.url}/a.txt", allow_hosts=[]).state()
    assert web.requests == []


def test_a_page_instead_of_an_archive_is_an_error(web: Web, tmp_path: Path) -> None:
    web.body = b"<html>sign in</html>"
    with pytest.raises(DataError, match="no archive"):
        source(tmp_path, f"{web.url}/set.zip").state()


@pytest.mark.parametrize(
    "url", ["ftp://example.org/a", "file:///etc/passwd", "a.zip", "http://", "https://me:pw@example.org/a"]
)
def test_other_addresses_are_refused_in_the_recipe(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        UrlOptions(url=url)
