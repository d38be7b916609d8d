"""Tensors in files that tell whether they were altered."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from genwright.core import sealed

TENSORS = {
    "a": torch.arange(6, dtype=torch.float32).view(2, 3),
    "b": torch.zeros(0, 4),
    "c": torch.tensor([True, False]),
    "d": torch.tensor(7),
    "e": torch.ones(3, dtype=torch.bfloat16),
}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    sealed.write(tmp_path / "f", TENSORS, model="m")
    found = sealed.read(tmp_path / "f", model="m")
    assert found is not None
    assert {name: (t.dtype, t.shape, t.tolist()) for name, t in found.items()} == {
        name: (t.dtype, t.shape, t.tolist()) for name, t in TENSORS.items()
    }
    assert sealed.read(tmp_path / "f", model="another") is None
    assert sealed.read(tmp_path / "f") is None
    assert sealed.read(tmp_path / "nothing") is None


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_bit_that_turns_is_noticed(place: int, bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("sealed") / "f"
    sealed.write(file, TENSORS, model="m")
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= 1 << bit
    file.write_bytes(bytes(data))
    assert sealed.read(file, model="m") is None


def test_the_form_itself_notices_nothing(tmp_path: Path) -> None:
    sealed.write(tmp_path / "f", TENSORS)
    data = bytearray((tmp_path / "f").read_bytes())
    data[-3] ^= 1
    (tmp_path / "f").write_bytes(bytes(data))
    assert load_file(tmp_path / "f").keys() == TENSORS.keys()
    assert sealed.read(tmp_path / "f") is None
