"""A folder as a source: what is collected, what is left out and said, what changes its state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genwright.core.errors import DataError
from genwright.data.sources.folder import Folder, FolderOptions

TEXTS = frozenset({".txt"})


def folder(base: Path, suffixes: frozenset[str] = TEXTS, **options: object) -> Folder:
    chosen = FolderOptions.model_validate({"path": "data", **options})
    return Folder(chosen, base=base, cache=base / "cache", suffixes=suffixes)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name in ("a.txt", "cat/one.txt", "cat/deep/two.txt", "dog/three.TXT", "dog/notes.md", ".hidden/no.txt", "dog/.no.txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return tmp_path


def names(source: Folder) -> list[str]:
    return [item.name for item in source.items()]


def test_files_the_content_reads_are_collected_with_provenance(base: Path) -> None:
    source = folder(base, licence="CC0")
    items = list(source.items())
    assert [item.name for item in items] == ["a.txt", "cat/one.txt", "cat/deep/two.txt", "dog/three.TXT"]
    assert items[1].data == b"text of cat/one.txt"
    assert (items[1].source, items[1].licence, items[1].collected_at) == ("folder:data", "CC0", "2023-11-14T22:13:20+00:00")
    assert source.skipped == {}


def test_globs_choose_files(base: Path) -> None:
    assert names(folder(base, include=["*.md"])) == ["dog/notes.md"]
    assert names(folder(base, include=["cat/**/*.txt"], exclude=["deep/"])) == ["cat/one.txt"]
    assert names(folder(base, recursive=False)) == ["a.txt"]


def test_labels_come_from_folders(base: Path) -> None:
    def labels(how: str) -> dict[str, bytes | None]:
        return {item.name: item.columns.get("label") for item in folder(base, labels=how).items()}

    assert labels("subfolder") == {
        **{"a.txt": None, "cat/one.txt": b"cat"},
        **{"cat/deep/two.txt": b"cat", "dog/three.TXT": b"dog"},
    }
    assert labels("parent")["cat/deep/two.txt"] == b"deep"


def test_captions_come_from_side_files(base: Path) -> None:
    (base / "data" / "x.png").write_bytes(b"picture")
    (base / "data" / "x.txt").write_text("a boat")
    (base / "data" / "y.png").write_bytes(b"other")
    items = list(folder(base, frozenset({".png", ".txt"}), captions=".txt").items())
    assert [(item.name, item.columns.get("caption")) for item in items] == [("x.png", b"a boat"), ("y.png", None)]


def test_an_item_may_have_a_label_and_a_caption(base: Path) -> None:
    (base / "data" / "boats").mkdir()
    (base / "data" / "boats" / "x.png").write_bytes(b"picture")
    (base / "data" / "boats" / "x.txt").write_text("a boat")
    items = {item.name: item for item in folder(base, frozenset({".png"}), captions=".txt", labels="parent").items()}
    assert dict(items["boats/x.png"].columns) == {"content": b"picture", "label": b"boats", "caption": b"a boat"}


def test_links_out_and_special_files_are_skipped_and_reported(base: Path) -> None:
    data = base / "data"
    (base / "secret.txt").write_text("secret")
    (base / "outside").mkdir()
    (base / "outside" / "far.txt").write_text("far")
    (data / "out.txt").symlink_to(base / "secret.txt")
    (data / "away").symlink_to(base / "outside")
    (data / "in.txt").symlink_to(data / "a.txt")
    (data / "loop.txt").symlink_to(data / "loop.txt")
    (data / "gone.txt").symlink_to(data / "nothing.txt")
    os.mkfifo(data / "pipe.txt")
    (data / "zero.txt").symlink_to("/dev/zero")
    source = folder(base)
    collected = {item.name: item.data for item in source.items()}
    assert b"secret" not in collected.values()
    assert b"far" not in collected.values()
    assert collected["in.txt"] == collected["a.txt"]
    assert set(source.skipped) == {"out.txt", "away", "loop.txt", "gone.txt", "pipe.txt", "zero.txt"}
    assert "out of the folder" in source.skipped["out.txt"]
    assert "pipe" in source.skipped["pipe.txt"]


def test_a_caption_is_not_read_through_a_link_out(base: Path) -> None:
    (base / "secret").write_text("secret")
    (base / "data" / "x.png").write_bytes(b"picture")
    (base / "data" / "x.txt").symlink_to(base / "secret")
    source = folder(base, frozenset({".png"}), captions=".txt")
    assert [item.columns.get("caption") for item in source.items()] == [None]
    assert "out of the folder" in source.skipped["x.txt"]


def test_large_files_are_skipped_with_the_limit(base: Path) -> None:
    (base / "data" / "big.txt").write_bytes(b"x" * 2_000_000)
    source = folder(base, item_mib=1)
    assert "big.txt" not in names(source)
    assert "1.9 MiB, over the limit of 1 MiB" in source.skipped["big.txt"]


def test_a_file_name_that_is_not_utf8_is_collected(base: Path) -> None:
    (Path(os.fsdecode(os.fsencode(base / "data") + b"/\xff.txt"))).write_text("odd")
    assert "\\xff.txt" in names(folder(base))
    folder(base).state()


def test_the_state_follows_contents_only(base: Path) -> None:
    before = folder(base, labels="subfolder").state()
    os.utime(base / "data" / "a.txt", (0, 0))
    (base / "data" / "dog" / "notes.md").write_text("not collected")
    assert folder(base, labels="subfolder").state() == before
    (base / "data" / "a.txt").write_text("Text of a.txt")
    changed = folder(base, labels="subfolder").state()
    assert changed != before
    (base / "data" / "cat").rename(base / "data" / "cow")
    assert folder(base, labels="subfolder").state() != changed


@pytest.mark.parametrize("method", ["state", "items"])
def test_a_missing_folder_is_named(tmp_path: Path, method: str) -> None:
    with pytest.raises(DataError, match=r"no folder at .*data"):
        list(getattr(folder(tmp_path), method)())


def test_a_folder_without_a_matching_file_says_what_was_looked_for(base: Path) -> None:
    with pytest.raises(DataError) as caught:
        folder(base, frozenset({".png"})).state()
    assert ".png" in str(caught.value)
    assert "4 x .txt" in str(caught.value)
