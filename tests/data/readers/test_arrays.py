"""Pictures in files of NumPy."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genwright.core.errors import DataError
from genwright.data.readers.arrays import Arrays, ArraysOptions
from genwright.data.readers.base import Row
from genwright.data.tree import Tree

RANDOM = np.random.default_rng(0)


def rows(folder: Path, **options: Any) -> list[Row]:
    return list(Arrays(ArraysOptions(**options), Tree(folder), frozenset()).rows())


def picture(row: Row) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(row.columns["content"])))


@pytest.mark.parametrize("shape", [(3, 9, 7), (3, 9, 7, 1), (3, 9, 7, 3), (3, 9, 7, 4), (3, 1, 9, 7), (3, 3, 9, 7)])
def test_channels_may_come_first_or_last_or_not_at_all(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    np.save(tmp_path / "pictures.npy", array)
    found = [picture(row) for row in rows(tmp_path)]
    last = np.moveaxis(array, 1, 3) if len(shape) == 4 and shape[1] < 5 else array
    assert np.array_equal(np.stack(found), last[..., 0] if last.ndim == 4 and last.shape[3] == 1 else last)


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_numbers_are_shares_of_white(low: float, tmp_path: Path) -> None:
    grey = np.linspace(0, 1, 64).reshape(1, 8, 8)
    np.save(tmp_path / "pictures.npy", (grey * (1 - low) + low).astype(np.float32))
    [row] = rows(tmp_path)
    assert np.array_equal(picture(row), (grey[0] * 255).round())


def test_some_rows_of_one_array_and_the_names_of_labels(tmp_path: Path) -> None:
    several = RANDOM.integers(0, 256, (6, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=several, y=np.arange(6) % 2, masks=several, notes=np.array(["a", None], dtype=object))
    found = rows(tmp_path, images="x", rows=(1, 4), classes=["cat", "dog"])
    assert [row.columns["label"] for row in found] == [b"dog", b"cat", b"dog"]
    assert [row.name for row in found] == [f"a.npz/x/{place:06d}.png" for place in (1, 2, 3)]
    with pytest.raises(DataError, match="has no name"):
        rows(tmp_path, images="x", classes=["cat"])


def test_what_holds_no_pictures_or_is_damaged_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "table.npy", np.zeros((5, 2)))
    np.save(tmp_path / "objects.npy", np.array([{}, []], dtype=object))
    (tmp_path / "odd.npz").write_bytes(b"PK not at all")
    assert Arrays.recognise(Tree(tmp_path)) is None
    with pytest.raises(DataError, match=r"no pictures in the arrays.*"):
        rows(tmp_path)
    np.save(tmp_path / "whole.npy", np.zeros((50, 8, 8), dtype=np.uint8))
    whole = (tmp_path / "whole.npy").read_bytes()
    (tmp_path / "whole.npy").write_bytes(whole[:-900])
    with pytest.raises(DataError, match="damaged"):
        rows(tmp_path)
