"""Columns on disk: what is missing stays missing, and costs nothing where nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from genwright.core.batch import blank
from genwright.core.record import Part
from genwright.core.shapes import EOS, PAD, Label, Shape, Signal, Tokens
from genwright.data.arrays import ColumnWriter
from genwright.data.columns import Column, row_of
from tests import made

IMAGE = Part(kind="image", options={"size": [8, 8], "channels": 1})
TEXT = Part(kind="text", options={"vocab": 300, "length": 16})
SHAPES: dict[str, tuple[Shape, NDArray[Any]]] = {
    "picture": (Signal(channels=1, axes=(2, 2), over=("y", "x")), np.full((1, 2, 2), 255, dtype=np.uint8)),
    "latent": (Signal(channels=2, bounded=False), np.array([0.5, -3.0], dtype=np.float32)),
    "text": (Tokens(vocab=9, length=4), np.array([5, 6], dtype=np.uint16)),
    "label": (Label(classes=3), np.asarray(2)),
}


@pytest.mark.parametrize("kind", list(SHAPES))
@pytest.mark.parametrize("there", ["yny", "nny", "ynn", "nnn", "n", "yyy"])
def test_rows_come_back_and_a_row_that_has_none_is_blank(kind: str, there: str, tmp_path: Path) -> None:
    shape, value = SHAPES[kind]
    written = ColumnWriter(tmp_path, "train.one", shape)
    for has in there:
        written.append(value if has == "y" else None)
    written.close()
    column, rows = Column(tmp_path, "train.one", shape), np.arange(len(there))
    given = column.given(rows)
    assert len(column) == len(there)
    assert given.present.tolist() == [has == "y" for has in there]
    for place, has in enumerate(there):
        assert torch.equal(given.value[place], row_of(shape, value) if has == "y" else blank(shape, 1)[0])
    assert given.value.dtype == blank(shape, 1).dtype
    assert (tmp_path / "train.one.present.npy").is_file() == ("n" in there)
    backwards = column.given(rows[::-1])
    assert torch.equal(backwards.value, given.value.flip(0))
    assert torch.equal(backwards.present, given.present.flip(0))


def test_an_empty_text_is_no_missing_text(tmp_path: Path) -> None:
    shape = Tokens(vocab=9, length=4)
    written = ColumnWriter(tmp_path, "train.one", shape)
    for row in (np.array([], dtype=np.uint16), None, np.array([5, 6, 7, 8, 3], dtype=np.uint16)):
        written.append(row)
    written.close()
    given = Column(tmp_path, "train.one", shape).given(np.arange(3))
    assert given.value.tolist() == [[EOS, PAD, PAD, PAD], [PAD] * 4, [5, 6, 7, EOS]]
    assert given.present.tolist() == [True, False, True]


def test_items_that_lack_a_column_are_counted_and_the_rest_of_them_is_there(tmp_path: Path) -> None:
    data = made.dataset(tmp_path / "data", IMAGE, caption=TEXT, beside=IMAGE, label=Part(kind="label"), lack={"caption": 3})
    told = data.contents.columns
    assert {name: column.missing for name, column in told.items()} == {"content": 0, "caption": 54, "beside": 0, "label": 0}
    given = data.train.given(np.arange(6))
    assert given["caption"].present.tolist() == [False, True, True] * 2
    assert all(given[name].present.all() for name in ("beside", "label"))
    assert data.signature.given["caption"].optional
    assert not data.signature.given["beside"].optional
    there = {file.name for file in data.folder.glob("*.present.npy")}
    assert there == {f"{side}.caption.present.npy" for side in ("train", "validation", "test")}
