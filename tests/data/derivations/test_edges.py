"""Sketches: thin dark lines where the picture has its edges, and nothing elsewhere."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from genwright.core.errors import ModelError
from tests.data.derivations.made import SHAPES, derivation, digits, disc, draws


def sketch(pictures: Tensor, **options: float) -> Tensor:
    """(n, height, width) darkness in [0, 1]."""
    return (1 - derivation("edges", **options).derive([pictures], draws(len(pictures)))[""][:, 0]) / 2


def distance(side: int) -> Tensor:
    at = torch.arange(side) - (side - 1) / 2
    return (at[:, None].square() + at.square()).sqrt()


@pytest.mark.parametrize(("side", "radius"), [(28, 8.0), (64, 20.0), (64, 6.5)])
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.9, -0.9), (0.0, 0.3)])
def test_the_edge_of_a_disc_is_a_ring(side: int, radius: float, low: float, high: float) -> None:
    ink = sketch(disc(side, radius, low, high))[0]
    ring = (distance(side) - radius).abs()
    assert ink[ring > 2.2].max() == 0
    assert ink[ring < 1.2].mean() > 0.5
    pieces, count = ndimage.label((ink > 0.3).numpy(), structure=torch.ones(3, 3).numpy())
    assert count == 1
    assert ndimage.label(pieces == 0)[1] == 2  # closed: an inside and an outside
    assert ink.sum() == pytest.approx(1.5 * 2 * math.pi * radius, rel=0.2)  # as wide as asked for


def test_a_stroke_is_as_wide_as_asked_for() -> None:
    for width in (0.5, 1.0, 2.0):
        ink = sketch(disc(64, 20.0), width=width)
        assert ink.sum() == pytest.approx(width * 2 * math.pi * 20, rel=0.2)


def test_nothing_is_drawn_where_nothing_is() -> None:
    flat = torch.full((1, 1, 28, 28), 0.3)
    across = (torch.linspace(-0.4, 0.4, 64) * 127.5).round() / 127.5  # a ramp in whole levels, as files hold it
    assert sketch(flat).max() == 0
    assert sketch(across.expand(1, 1, 64, 64)).max() == 0


def test_a_faint_edge_beside_a_strong_one_is_left_out_and_drawn_when_it_is_alone() -> None:
    faint, inside = disc(64, 6.0, 0.0, 0.25), distance(64) < 12
    assert sketch(faint)[0, inside].max() > 0.8
    together = faint + disc(64, 24.0, -1.0, 0.0)
    assert sketch(together, threshold=0.3)[0, inside].max() == 0
    assert sketch(together, threshold=0.05)[0, inside].max() > 0.8


def test_digits_are_outlined() -> None:
    """Blurred as they are: a line where grey is half way, thin, and most of the paper white."""
    for side in (28, 64):
        pictures = digits(40, side)
        ink = sketch(pictures)
        assert (ink.flatten(1).max(dim=1).values == 1).all()
        share = ink.flatten(1).mean(dim=1)
        assert ((share > 0.02) & (share < 0.35)).all()
        grey = pictures[:, 0].abs()
        assert grey[ink > 0.9].mean() < 0.6 * grey.mean()


def test_colours_are_weighed_as_the_eye_does_and_the_contrary_has_the_same_edges() -> None:
    green, blue = (torch.full((1, 3, 32, 32), -1.0) for _ in range(2))
    green[:, 1:2], blue[:, 2:] = disc(32, 9.0), disc(32, 9.0)
    both = torch.cat([green[..., :32], blue], dim=3)
    ink = sketch(both, threshold=0.3)[0]
    assert ink[:, :32].max() > 0.9
    assert ink[4:28, 36:60].max() == 0  # of the same shape, but an eighth as bright
    pictures = digits(8, 28)
    assert torch.allclose(sketch(pictures), sketch(-pictures), atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    scale=st.sampled_from([0.0, 1e-30, 1e-4, 1.0]),
    blur=st.floats(0, 4),
    stroke=st.floats(0.1, 2),
)
def test_any_picture_gives_a_sketch(height: int, width: int, scale: float, blur: float, stroke: float) -> None:
    pictures = torch.rand(2, 2, height, width, generator=torch.Generator().manual_seed(0)).mul(2).sub(1) * scale
    ink = sketch(pictures, blur=blur, width=stroke)
    assert ink.isfinite().all()
    assert ((ink >= 0) & (ink <= 1)).all()
    if scale < 1e-3:
        assert ink.max() == 0


def test_only_pictures_have_edges() -> None:
    for wrong in ("sound", "film", "points", "vector", "text", "label"):
        with pytest.raises(ModelError, match=r"picture|grid"):
            derivation("edges").shapes([SHAPES[wrong]])
