"""Hostile archives: nothing is written outside the folder, and none of them fills the disk or the memory."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genwright.core.errors import DataError
from genwright.data.fetch.unpack import UnpackLimits, is_archive, unpack

HOSTILE = [
    "../out.txt",
    "/abs.txt",
    "a/../../out.txt",
    "C:\\out.txt",
    "..\\out.txt",
    "\\\\host\\share",
    "",
    ".",
    "a/..",
    "x\0y",
]

wild_names = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(alphabet=st.sampled_from("ab./\\:~ \n\0é"), max_size=24),
    st.lists(st.sampled_from(["..", ".", "a", "b", "", "/", "~"]), max_size=6).map("/".join),
)


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = name  # as it is: the constructor would tidy the name
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


def tarred(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, data in members:
            if info.isreg():
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_honest_archives_are_unpacked_with_their_times(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("cat/one.txt", (2020, 1, 2, 3, 4, 6)), b"one")
            archive.mkdir("empty")
    else:
        info = tarfile.TarInfo("cat/one.txt")
        info.mtime = 1577934246
        tarred(path, [(info, b"one"), special("empty", tarfile.DIRTYPE)], "w" + ending[4:].replace(".", ":"))
    assert is_archive(path.name)
    assert unpack(path, tmp_path / "into") == {}
    assert files(tmp_path / "into") == {"cat/one.txt": b"one"}
    assert (tmp_path / "into/cat/one.txt").stat().st_mtime == 1577934246


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(wild_names, min_size=1, max_size=6, unique=True), as_zip=st.booleans())
def test_no_name_leads_outside(tmp_path_factory: pytest.TempPathFactory, names: list[str], as_zip: bool) -> None:
    base = tmp_path_factory.mktemp("wild")
    inner = base / "inner"
    inner.mkdir()
    names = [*names, str(base / "absolute.txt")]
    if as_zip:
        archive = zipped(base / "a.zip", dict.fromkeys(names, b"bad"))
    else:
        archive = tarred(base / "a.tgz", [(tarfile.TarInfo(name), b"bad") for name in names])
    try:
        unpack(archive, inner / "into")
    except DataError:
        assert not (inner / "into").exists()
    assert {path for path in base.rglob("*") if inner / "into" not in path.parents} <= {inner, inner / "into", archive}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_are_an_error_for_people(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    base = tmp_path_factory.mktemp("damaged")
    if data.draw(st.booleans()):
        path = zipped(base / "a", {"one.txt": b"one" * 50, "two.txt": b"two" * 50})
    else:
        infos = [tarfile.TarInfo("one.txt"), tarfile.TarInfo("two.txt")]
        path = tarred(base / "a", [(info, b"one" * 50) for info in infos], data.draw(st.sampled_from(["w", "w:gz", "w:xz"])))
    whole = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    try:
        unpack(path, base / "into")
    except DataError:
        assert not (base / "into").exists()


def test_links_and_devices_in_a_tar_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    archive = tarred(
        tmp_path / "a.tgz",
        [
            special("link", tarfile.SYMTYPE, str(tmp_path)),
            (tarfile.TarInfo("link/planted"), b"planted"),  # would be written through the link
            special("hard", tarfile.LNKTYPE, "../secret"),
            special("device", tarfile.CHRTYPE),
            special("pipe", tarfile.FIFOTYPE),
            (tarfile.TarInfo("good.txt"), b"good"),
        ],
    )
    with tarfile.open(archive) as naive:
        naive.extractall(tmp_path / "naive", [naive.getmember("link"), naive.getmember("link/planted")], filter="fully_trusted")
    assert (tmp_path / "planted").read_text() == "planted"  # so the attack is real
    (tmp_path / "planted").unlink()
    skipped = unpack(archive, tmp_path / "into")
    assert set(skipped) == {"link", "hard", "device", "pipe"}
    assert not (tmp_path / "planted").exists()
    assert files(tmp_path / "into") == {"link/planted": b"planted", "good.txt": b"good"}


def test_links_and_encrypted_members_of_a_zip_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.txt", "good")
    assert unpack(path, tmp_path / "into") == {"link": "a link, device or pipe, not a plain file"}
    assert files(tmp_path / "into") == {"good.txt": b"good"}


def test_a_name_that_occurs_twice_keeps_the_first(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tar", [(tarfile.TarInfo("x"), b"first"), (tarfile.TarInfo("x"), b"second")], "w")
    assert unpack(archive, tmp_path / "into") == {"x": "the name occurs twice"}
    assert files(tmp_path / "into") == {"x": b"first"}


@pytest.mark.parametrize("ending", ["zip", "tgz"])
def test_a_bomb_is_refused_before_it_fills_disk_or_memory(tmp_path: Path, ending: str) -> None:
    zeros = bytes(100 * 2**20)
    if ending == "zip":
        archive = zipped(tmp_path / "a.zip", {f"{n}": zeros for n in range(3)})
    else:
        archive = tarred(tmp_path / "a.tgz", [(tarfile.TarInfo(str(n)), zeros) for n in range(3)])
    assert archive.stat().st_size < 2**20
    del zeros
    tracemalloc.start()
    with pytest.raises(DataError, match="bomb"):
        unpack(archive, tmp_path / "into")
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()
    assert not (tmp_path / "into").exists()


def test_the_total_and_the_number_of_files_are_bounded(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {f"{n}": os.urandom(1000) for n in range(20)})
    with pytest.raises(DataError, match="more than is allowed"):
        unpack(archive, tmp_path / "into", UnpackLimits(bytes=10_000))
    with pytest.raises(DataError, match="too many files"):
        unpack(archive, tmp_path / "into", UnpackLimits(files=10))
    assert unpack(archive, tmp_path / "into", UnpackLimits(bytes=20_000, files=20)) == {}


def test_a_tar_header_cannot_take_all_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"comment": "y" * (30 * 2**20)}
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    del info
    tracemalloc.start()
    with pytest.raises(DataError, match="header"):
        unpack(path, tmp_path / "into")
    assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    tracemalloc.stop()


def test_a_zip_cannot_claim_a_huge_table_of_contents(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"x": b"x"})
    whole = bytearray(path.read_bytes())
    struct.pack_into("<L", whole, whole.rfind(b"PK\5\6") + 12, 2**31)
    path.write_bytes(whole)
    with pytest.raises(DataError, match="table of contents"):
        unpack(path, tmp_path / "into")


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("<html>not found</html>")
    with pytest.raises(DataError, match=r"a\.zip is damaged or no archive"):
        unpack(tmp_path / "a.zip", tmp_path / "into")
