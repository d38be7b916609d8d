"""Low resolution, blur and noise."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genwright.core.shapes import Signal
from genwright.data.derivations.blurring import blurred
from genwright.data.derivations.resized import scale
from tests.data.derivations.made import SHAPES, derivation, digits, draws, values

N = 64


def roughness(x: Tensor) -> Tensor:
    """(n,) mean absolute change from column to column."""
    return x.diff(dim=-1).abs().flatten(1).mean(dim=1)


def test_without_noise_it_is_the_plain_resize() -> None:
    pictures = digits(N, 32)
    clean = derivation("degraded", size=[8, 8], noise=0).derive([pictures], draws(N))
    assert set(clean) == {""}
    assert torch.equal(clean[""], scale(pictures, (8, 8)))
    assert torch.equal(derivation("degraded", noise=0).derive([pictures], draws(N))[""], pictures)


def test_the_level_is_that_of_the_noise() -> None:
    """Evenly from none to the most."""
    grey = torch.zeros(400, 1, 24, 24)
    made = derivation("degraded", noise=0.2, level=True).derive([grey], draws(400))
    level, spread = made["level"][:, 0], made[""].flatten(1).std(dim=1)
    assert torch.allclose(spread, 0.2 * level, rtol=0.15, atol=1e-3)
    assert made[""].mean().abs() < 0.01
    assert level.min() < 0.02
    assert level.max() > 0.98
    assert (level.histc(4, 0, 1) > 70).all()


def test_the_level_is_a_column_where_it_is_asked_for() -> None:
    assert set(derivation("degraded").shapes([SHAPES["grey"]])) == {""}
    assert derivation("degraded", level=True).shapes([SHAPES["grey"]])["level"] == Signal(channels=1, bounded=False)
    with pytest.raises(ValueError, match="no level without noise"):
        derivation("degraded", level=True, noise=0)


def test_pictures_stay_in_range_and_latents_keep_theirs() -> None:
    noisy = derivation("degraded", noise=2)
    assert noisy.derive([digits(N, 16)], draws(N))[""].abs().max() == 1
    latents = values(SHAPES["latents"], N)
    calm = derivation("degraded", noise=0.01).derive([latents], draws(N))[""]
    assert torch.allclose(calm, latents, atol=0.06)
    assert calm.abs().max() > 3


def test_a_blur_is_of_a_drawn_width() -> None:
    pictures = digits(1, 32).expand(N, -1, -1, -1)
    soft = derivation("degraded", noise=0, blur=3).derive([pictures], draws(N))[""]
    rough = roughness(soft)
    assert (rough <= roughness(pictures) + 1e-6).all()
    assert rough.min() < 0.6 * rough.max()
    assert rough.max() > 0.9 * roughness(pictures)[0]


@pytest.mark.parametrize("deviation", [0.8, 1.5, 3.0])
def test_a_point_is_blurred_to_a_bell_of_that_deviation(deviation: float) -> None:
    point = torch.zeros(1, 1, 41, 41)
    point[0, 0, 20, 20] = 1.0
    bell = blurred(point, torch.tensor([deviation]), deviation)[0, 0]
    at = torch.arange(41) - 20.0
    assert bell.sum() == pytest.approx(1, abs=1e-5)
    assert (bell.sum(dim=0) * at.square()).sum().sqrt() == pytest.approx(deviation, rel=0.02)
    assert torch.allclose(bell, bell.T, atol=1e-6)
    flat = torch.full((1, 1, 9, 9), 0.3)
    assert torch.allclose(blurred(flat, torch.tensor([deviation]), deviation), flat, atol=1e-6)
    assert torch.equal(blurred(point, torch.tensor([0.0]), deviation), point)
