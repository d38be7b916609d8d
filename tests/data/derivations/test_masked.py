"""Masks: of every kind, of the share that was asked for, along any axes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.optimize import linprog
from torch import Tensor

from genwright.core.errors import ModelError
from genwright.core.shapes import Signal
from tests.data.derivations.made import SHAPES, derivation, digits, draws

N = 256
KINDS = ("box", "strokes", "half")


def hidden(axes: tuple[int, ...], n: int = N, **options: object) -> Tensor:
    """(n, *axes) bool: where masks hide."""
    return derivation("masked", **options).derive([torch.ones(n, 1, *axes)], draws(n))["mask"][:, 0] == 0


def kind_of(place: Tensor) -> str:
    """What a single mask looks like: a line parts a half from the rest, boxes have few corners."""
    if separable(place):
        return "half"
    square = (place[:-1, :-1].int() + place[1:, :-1] + place[:-1, 1:] + place[1:, 1:]).flatten()
    return "box" if int(((square == 1) | (square == 3)).sum()) <= 12 else "strokes"


def separable(place: Tensor) -> bool:
    """Whether there is a line with all hidden places on one side."""
    at = np.argwhere(np.ones(place.shape))
    side = np.where(place.flatten().numpy(), 1, -1)
    bounds = -side[:, None] * np.c_[at, np.ones(len(at))]
    return bool(linprog(np.zeros(3), bounds, -np.ones(len(at)), bounds=(None, None)).status == 0)


def test_what_is_left_is_the_picture_and_what_is_hidden_is_zero() -> None:
    pictures = digits(N, 28)
    made = derivation("masked").derive([pictures], draws(N))
    keep = made["mask"].bool()
    assert set(made["mask"].unique().tolist()) == {0.0, 1.0}
    assert torch.equal(made[""], torch.where(keep, pictures, 0.0))
    assert derivation("masked").shapes([SHAPES["colour"]])["mask"] == Signal(channels=1, axes=(24, 16), over=("y", "x"))


@pytest.mark.parametrize("axes", [(28, 28), (64, 64), (200, 120), (50,), (6, 16, 16)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_the_share_that_is_hidden_is_the_one_drawn(kind: str, axes: tuple[int, ...]) -> None:
    """From the least to the most and all between; a row of places in line with an axis is hidden whole or not at all."""
    share = hidden(axes, kinds=[kind], share=[0.2, 0.5]).flatten(1).float().mean(dim=1)
    coarse = 1.0 / min(axes)
    assert share.min() >= 0.2 - 0.02
    assert share.max() <= 0.5 + 0.02 + coarse
    assert (share.histc(3, 0.2, 0.5) > N / 6).all()


def test_every_kind_appears_and_as_often_as_it_is_named() -> None:
    for kind in KINDS:
        assert {kind_of(one) for one in hidden((32, 32), n=100, kinds=[kind])} <= {kind, "half" if kind == "box" else kind}
    every = [kind_of(one) for one in hidden((32, 32))]
    assert all(every.count(kind) > N / 5 for kind in KINDS)
    twice = [kind_of(one) for one in hidden((32, 32), kinds=["half", "strokes", "half"])]
    assert 0.55 * N < twice.count("half") < 0.8 * N
    assert "box" not in twice


def test_strokes_are_of_a_brush() -> None:
    """Few pieces, each wider than a pixel and narrower than a box of that area."""
    for place in hidden((64, 64), n=64, kinds=["strokes"], share=[0.15, 0.2]):
        pieces, count = ndimage.label(place.numpy())
        assert count <= 3
        depth = ndimage.distance_transform_edt(place.numpy())
        assert 1 < depth.max() < 0.5 * math.sqrt(int(place.sum()))
        assert pieces.max() == count


def test_along_one_axis_there_are_gaps_and_continuations() -> None:
    for place in hidden((100,), n=64, kinds=["half"]):
        assert int(place.int().diff().abs().sum()) == 1  # one end is hidden
    gaps = [int((one.int().diff() == 1).sum()) + int(one[0]) for one in hidden((100,), n=64, kinds=["box"])]
    assert set(gaps) == {1, 2, 3}


@settings(max_examples=60, deadline=None)
@given(
    axes=st.lists(st.integers(1, 9), min_size=1, max_size=4).filter(lambda axes: math.prod(axes) > 1),
    kind=st.sampled_from(KINDS),
    share=st.floats(0.01, 0.99),
)
def test_something_is_hidden_and_something_left_however_small_it_is(axes: list[int], kind: str, share: float) -> None:
    place = hidden(tuple(axes), n=16, kinds=[kind], share=[share, share]).flatten(1)
    assert (place.any(dim=1) & ~place.all(dim=1)).all()


def test_masks_that_cannot_be_are_refused() -> None:
    with pytest.raises(ModelError, match="single place"):
        derivation("masked").shapes([Signal(channels=3, axes=(1, 1), over=("y", "x"))])
    for options in ({"share": [0.6, 0.2]}, {"share": [0, 1]}, {"kinds": []}, {"kinds": ["circle"]}):
        with pytest.raises(ValueError, match=r"share|kinds"):
            derivation("masked", **options)
