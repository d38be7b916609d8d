"""Convolutions that share a CPU give the gradients of ordinary ones, those of the weights in float32."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from genwright.models.layers.convolution import considerate


def gradients(layer: nn.Module, x: Tensor) -> list[Tensor]:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = layer(x).square().mean()
    loss.backward()
    return [p.grad for p in layer.parameters() if p.grad is not None]


@pytest.mark.parametrize(("kind", "axes"), [(nn.Conv1d, 1), (nn.Conv2d, 2), (nn.Conv3d, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_an_ordinary_convolution(kind: type[nn.Conv2d], axes: int, bias: bool) -> None:
    torch.manual_seed(0)
    ordinary = kind(4, 6, 3, stride=2, padding=1, bias=bias)
    changed = copy.deepcopy(ordinary)
    considerate(changed)
    x = torch.randn(5, 4, *[8] * axes, requires_grad=True)
    other = x.detach().clone().requires_grad_()
    for mine, theirs in zip(gradients(changed, x), gradients(ordinary, other), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=2e-2, atol=1e-3)
    assert x.grad is not None
    assert other.grad is not None
    torch.testing.assert_close(x.grad, other.grad, rtol=2e-2, atol=1e-3)


def test_the_gradient_of_the_weights_is_summed_in_float32() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    considerate(layer)
    x = torch.randn(64, 2, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(x).sum().backward()
    rounded = x.bfloat16().float()
    exact = torch.nn.grad.conv2d_weight(rounded, (3, 2, 3, 3), torch.ones(64, 3, 8, 8), padding=1)
    assert torch.equal(layer.weight.grad, exact.bfloat16().float())


def test_without_autocast_or_gradients_nothing_is_changed() -> None:
    torch.manual_seed(0)
    ordinary = nn.Conv2d(2, 3, 3)
    changed = copy.deepcopy(ordinary)
    considerate(changed)
    x = torch.randn(2, 2, 8, 8)
    assert torch.equal(changed(x), ordinary(x))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(changed(x), ordinary(x))
    assert changed.state_dict().keys() == ordinary.state_dict().keys()


def test_second_derivatives_are_there_as_a_gradient_penalty_wants_them() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3, padding=1)
    considerate(layer)
    x = torch.randn(4, 2, 8, 8, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x).square().sum()
    (slope,) = torch.autograd.grad(out, x, create_graph=True)
    slope.square().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0
