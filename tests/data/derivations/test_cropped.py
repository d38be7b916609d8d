"""Parts cut out: from where, whole, mirrored, and told of."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genwright.core.errors import ModelError
from genwright.core.shapes import Signal
from tests.data.derivations.made import SHAPES, derivation, draws

N = 200


def numbered(*axes: int, n: int = N) -> Tensor:
    """(n, 1, *axes) with another number at every place."""
    places = torch.arange(torch.Size(axes).numel(), dtype=torch.float32).view(1, 1, *axes)
    return places.expand(n, *places.shape[1:])


@settings(max_examples=40, deadline=None)
@given(
    axes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6)), min_size=1, max_size=3),
    at=st.sampled_from(["anywhere", "centre"]),
)
def test_a_part_is_cut_from_where_it_is_said(axes: list[tuple[int, int]], at: str) -> None:
    size, slack = zip(*axes, strict=True)
    value = numbered(*(a + b for a, b in axes), n=9)
    made = derivation("cropped", size=size, at=at, place=True).derive([value], draws(9))
    for row, part, place in zip(value, made[""], made["place"], strict=True):
        starts = [round((float(p) * max(s, 1) + s) / 2) for p, s in zip(place[:-1], slack, strict=True)]
        window = tuple(slice(start, start + length) for start, length in zip(starts, size, strict=True))
        assert torch.equal(part, row[(slice(None), *window)])
        if at == "centre":
            assert starts == [one // 2 for one in slack]


def test_every_place_is_taken_about_equally_often() -> None:
    made = derivation("cropped", size=[4, 4], place=True).derive([numbered(8, 6, n=600)], draws(600))
    corners = made[""][:, 0, 0, 0].long()
    assert len(corners.unique()) == 5 * 3
    assert torch.bincount(corners).max() < 80
    assert made["place"][:, 0].unique().tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]


def test_half_are_mirrored_and_say_so() -> None:
    value = numbered(5, 4)
    made = derivation("cropped", size=[5, 4], mirror=True, place=True).derive([value], draws(N))
    swapped = made["place"][:, 2] == 1
    assert 70 < int(swapped.sum()) < 130
    assert torch.equal(made[""][swapped], value[swapped].flip(-1))
    assert torch.equal(made[""][~swapped], value[~swapped])
    assert not made["place"][:, :2].any()
    plain = derivation("cropped", size=[5, 4]).derive([value], draws(N))
    assert set(plain) == {""}
    assert torch.equal(plain[""], value)


def test_what_cannot_be_cut_or_mirrored_is_refused() -> None:
    with pytest.raises(ModelError, match="No more can be cut out"):
        derivation("cropped", size=[29, 4]).shapes([SHAPES["grey"]])
    with pytest.raises(ModelError, match="one length for each axis"):
        derivation("cropped", size=[4]).shapes([SHAPES["grey"]])
    with pytest.raises(ModelError, match="left and a right"):
        derivation("cropped", size=[10], mirror=True).shapes([SHAPES["sound"]])
    film = derivation("cropped", size=[2, 4, 4], mirror=True, place=True).shapes([SHAPES["film"]])
    assert film == {"": Signal(channels=3, axes=(2, 4, 4), over=("t", "y", "x")), "place": Signal(channels=4)}
