"""Data to train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from genwright.data.dataset import Dataset
from tests import made


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return made.pictures(tmp_path / "data")
