"""Pictures a little otherwise: what is done is what is said, and can be followed backwards."""

from __future__ import annotations

import pytest
import torch

from genwright.core.errors import ModelError
from genwright.core.shapes import Signal
from tests.data.derivations.made import derivation, draws

N = 300
PICTURE = Signal(channels=3, axes=(8, 10), over=("y", "x"))


def pictures(n: int = N) -> torch.Tensor:
    return torch.rand(n, *PICTURE.dims, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8


def test_half_are_mirrored_and_say_so() -> None:
    value = pictures()
    made = derivation("augmented", mirror=True, shift=0, how=True).derive([value], draws(N))
    swapped = made["how"][:, 0] == 1
    assert 110 < int(swapped.sum()) < 190
    assert torch.equal(made[""][swapped], value[swapped].flip(-1))
    assert torch.equal(made[""][~swapped], value[~swapped])
    assert not made["how"][:, 1:].any()


def test_shifts_are_those_that_are_said_and_repeat_the_border() -> None:
    value = pictures()
    made = derivation("augmented", shift=0.25, how=True).derive([value], draws(N))
    assert made["how"][:, 1:3].abs().max() <= 0.25
    for row, moved, (down, right) in zip(value, made[""], made["how"][:, 1:3], strict=True):
        ys = (torch.arange(8) - round(float(down) * 8)).clamp(0, 7)
        xs = (torch.arange(10) - round(float(right) * 10)).clamp(0, 9)
        assert torch.equal(moved, row[:, ys][:, :, xs])


def test_a_box_becomes_grey_and_the_rest_stays() -> None:
    value = pictures()
    made = derivation("augmented", shift=0, cut=0.5, how=True).derive([value], draws(N))
    gone = (made[""] == 0).all(dim=1)
    assert torch.equal(torch.where(gone[:, None], 0.0, value), made[""])
    assert gone.flatten(1).sum(dim=1).max() <= 4 * 6
    assert gone.flatten(1).any(dim=1).float().mean() > 0.95
    assert made["how"][:, 6].eq(1).all()


def test_colours_change_by_as_much_as_is_said() -> None:
    value = pictures() / 4
    made = derivation("augmented", shift=0, colour=0.5, how=True).derive([value], draws(N))
    brightness = made["how"][:, 3]
    assert torch.allclose(made[""].mean(dim=(1, 2, 3)) - value.mean(dim=(1, 2, 3)), brightness, atol=0.02)
    assert brightness.abs().max() <= 0.5
    assert brightness.std() > 0.2


def test_the_chance_says_how_many_are_changed() -> None:
    value = pictures()
    made = derivation("augmented", chance=0.3, shift=0.25, colour=1.0, cut=0.5, how=True).derive([value], draws(N))
    for part in ((1, 2), (3, 4, 5), (6,)):
        changed = made["how"][:, part].abs().sum(dim=1) > 0
        assert 0.2 < float(changed.float().mean()) < 0.4


def test_gradients_go_through() -> None:
    value = (pictures(16) / 2).requires_grad_()
    made = derivation("augmented", mirror=True, shift=0.2, colour=0.3, cut=0.3).derive([value], draws(16))
    (slope,) = torch.autograd.grad(made[""].square().sum(), [value])
    assert torch.isfinite(slope).all()
    assert (slope != 0).float().mean() > 0.5


def test_what_has_no_colours_or_would_stay_as_it_is_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is changed"):
        derivation("augmented", shift=0)
    with pytest.raises(ModelError, match="Codes are not augmented"):
        derivation("augmented", mirror=True).shapes([PICTURE.model_copy(update={"bounded": False})])
