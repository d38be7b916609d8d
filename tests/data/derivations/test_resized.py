"""Other resolutions: against Pillow, against plain sums, and on whatever size there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures
from torch import Tensor

from genwright.core.errors import ModelError
from genwright.core.shapes import Signal
from genwright.data.derivations.resized import scale
from tests.data.derivations.made import SHAPES, derivation, digits, values

lengths = st.integers(1, 24)


def weights(before: int, after: int) -> Tensor:
    """(after, before) of a cubic kernel, widened where it shrinks (Keys 1981), by its definition."""
    ratio = before / after
    middle = (torch.arange(after, dtype=torch.float64) + 0.5) * ratio
    away = ((torch.arange(before) + 0.5 - middle[:, None]) / max(ratio, 1)).abs()
    near, far = 1.5 * away**3 - 2.5 * away**2 + 1, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
    found = torch.where(away < 1, near, torch.where(away < 2, far, 0.0))
    return found / found.sum(dim=1, keepdim=True)


@settings(max_examples=60, deadline=None)
@given(axes=st.lists(st.tuples(lengths, lengths), min_size=1, max_size=4), channels=st.integers(1, 3))
def test_any_number_of_axes_is_scaled_by_the_cubic_kernel(axes: list[tuple[int, int]], channels: int) -> None:
    before, after = zip(*axes, strict=True)
    value = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (2, channels, *before)).astype(np.float32))
    wanted = value.double()
    for axis, (old, new) in enumerate(axes, start=2):
        wanted = torch.tensordot(wanted.movedim(axis, -1), weights(old, new), dims=([-1], [1])).movedim(-1, axis)
    for row, found, whole in zip(value, scale(value, after), wanted, strict=True):
        assert torch.allclose(found.double(), whole.clamp(float(row.min()), float(row.max())), atol=1e-5)


def test_pictures_are_scaled_as_pillow_does() -> None:
    picture = digits(1, 32)[0, 0]
    for side in (8, 13, 50):
        scaled = Pictures.fromarray(picture.numpy()).resize((side, side), Pictures.Resampling.BICUBIC)
        wanted = torch.from_numpy(np.array(scaled)).clamp(float(picture.min()), float(picture.max()))
        assert torch.allclose(scale(picture[None, None], (side, side))[0, 0], wanted, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(level=st.floats(-1, 1, width=32), size=st.tuples(lengths, lengths))
def test_what_is_constant_stays_so(level: float, size: tuple[int, int]) -> None:
    assert (scale(torch.full((1, 1, 7, 11), level), size) == level).all()


def test_fine_stripes_do_not_turn_into_coarse_ones() -> None:
    """Shrinking without antialiasing would take one stripe in three and show no grey."""
    stripes = torch.tensor([-1.0, 1.0]).repeat(48).expand(1, 1, 96, 96)
    assert scale(stripes, (32, 32)).abs().max() < 0.35


def test_a_size_needs_as_many_lengths_as_there_are_axes() -> None:
    with pytest.raises(ModelError, match="one length for each axis"):
        derivation("resized", size=[4]).shapes([SHAPES["grey"]])
    with pytest.raises(ValueError, match="size"):
        derivation("resized", size=[0, 4])
    for wrong in ("vector", "points", "text", "label"):
        with pytest.raises(ModelError, match="grid"):
            derivation("resized", size=[4, 4]).shapes([SHAPES[wrong]])


def test_what_the_axes_are_stays_known() -> None:
    film = SHAPES["film"]
    assert derivation("resized", size=[3, 4, 5]).shapes([film]) == {
        "": Signal(channels=3, axes=(3, 4, 5), over=("t", "y", "x"))
    }
    latents = derivation("resized", size=[4, 4])
    assert latents.shapes([SHAPES["latents"]])[""] == Signal(channels=4, axes=(4, 4), over=("y", "x"), bounded=False)
    assert values(SHAPES["latents"], 8).abs().max() > 2  # which are left as they are, beyond [-1, 1]
    assert scale(values(SHAPES["latents"], 8), (16, 16)).abs().max() > 1.5
