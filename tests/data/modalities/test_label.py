"""Labels: names in order, names never seen, names that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genwright.core.errors import DataError, Unreadable
from genwright.core.record import Part
from genwright.core.shapes import Label
from genwright.data.modalities.base import build


def label(**options: Any) -> Any:
    return build(Part(kind="label", options=options))


def test_classes_are_the_training_names_in_order(tmp_path: Path) -> None:
    modality = label()
    modality.fit(["dog", "cat", "dog", "ant"])
    assert modality.labels == ["ant", "cat", "dog"]
    modality.save(tmp_path)
    again = build(Part(kind="label"), tmp_path)
    assert again.shape == Label(classes=3)
    assert [again.decode(again.encode(name)) for name in ("dog", "ant")] == ["dog", "ant"]


def test_a_name_never_seen_is_no_label() -> None:
    modality = label()
    modality.fit(["cat"])
    assert modality.encode("cow") is None
    with pytest.raises(DataError, match="no class"):
        modality.decode(np.asarray(-1))


def test_space_around_a_name_does_not_matter() -> None:
    assert label().read(b" cat\n") == "cat"


@pytest.mark.parametrize("data", [b"", b"  \n", b"two\nlines", b"\x1b[31mred", b"\xff", b"a" * 201])
def test_what_is_no_name_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        label().read(data)


def test_a_label_for_every_item_is_taken_for_a_mistake() -> None:
    with pytest.raises(DataError, match="too many different labels"):
        label(most=10).fit(str(i) for i in range(11))


def test_no_label_at_all_is_an_error_not_a_model_without_classes() -> None:
    modality = label()
    modality.fit([])
    with pytest.raises(DataError, match="no label"):
        _ = modality.shape
