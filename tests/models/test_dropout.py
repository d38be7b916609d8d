"""Dropout: the share that is left out, its scale, and that what is left out has no gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from genwright.models.layers.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_it_leaves_out_the_share_that_is_said(p: float, kind: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.ones(1001, 333, dtype=kind, requires_grad=True)
    out = Dropout(p)(x)
    out.sum().backward()
    left = (out == 0).float()
    assert left.mean() == pytest.approx(p, abs=0.005)
    assert left.mean(0).std() == pytest.approx((p * (1 - p) / 1001) ** 0.5, rel=0.2)  # independent of each other
    assert left.mean(1).std() == pytest.approx((p * (1 - p) / 333) ** 0.5, rel=0.2)
    assert out.max().item() == pytest.approx(1 / (1 - p), rel=0.01)
    assert out.dtype == kind
    assert torch.equal(x.grad, out)


def test_equal_seeds_leave_out_equal_numbers_and_others_do_not() -> None:
    drop, x = Dropout(0.5), torch.ones(100)
    drawn = [drop(x) for seed in (1, 1, 2) if torch.manual_seed(seed)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_in_evaluation_and_without_a_share_nothing_is_changed() -> None:
    x = torch.randn(5, 5)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert isinstance(Dropout(0.5), nn.Dropout)
