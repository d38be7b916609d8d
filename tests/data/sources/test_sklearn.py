"""scikit-learn's digits as a source."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from sklearn.datasets import load_digits

from genwright.data.sources.sklearn import Sklearn, SklearnOptions


def test_digits_are_pictures_with_their_label(tmp_path: Path) -> None:
    source = Sklearn(SklearnOptions(), base=tmp_path, cache=tmp_path, suffixes=frozenset())
    items = list(source.items())
    digits = load_digits()
    assert len(items) == 1797
    assert len({item.name for item in items}) == 1797
    for index in (0, 7, 1796):
        picture = np.asarray(Image.open(io.BytesIO(items[index].data)))
        assert picture.shape == (8, 8)
        assert np.abs(picture / 255 * 16 - digits.images[index]).max() < 0.05
        assert items[index].columns["label"] == str(digits.target[index]).encode()
    assert source.state() == source.state()


def test_other_data_sets_are_refused_with_those_allowed() -> None:
    with pytest.raises(ValidationError, match="digits"):
        SklearnOptions.model_validate({"dataset": "iris"})
