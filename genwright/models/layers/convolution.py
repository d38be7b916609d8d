"""Convolutions in bfloat16 that share a CPU with other work.

Where oneDNN takes the gradient of a convolution's weights in bfloat16, its threads meet after every item of the batch and
spin until the last one is there, for as long as that takes; nothing can tell them to sleep. A thread that has lost its
processor to other work then costs all of them a slice of time, thousands of times a step: beside eight busy processes a step
of a small U-Net took 20 to 160 times as long. Threads that work on different groups of a convolution do not meet. So every
thread is given a share of the batch as a group of its own, and the shares are summed.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

_backward = torch.ops.aten.convolution_backward
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


def considerate(model: nn.Module) -> None:
    """Have the convolutions of a model take the gradients of their weights so that no thread waits for another, where they
    compute in bfloat16."""
    for part in model.modules():
        if isinstance(part, Convolution) and part.padding_mode == "zeros" and not isinstance(part.padding, str):
            part._conv_forward = MethodType(_forward, part)  # type: ignore[method-assign]


def _forward(self: Convolution, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if torch.is_autocast_enabled("cpu") and x.device.type == "cpu" and torch.is_grad_enabled():
        kind = torch.get_autocast_dtype("cpu")
        x, weight, bias = x.to(kind), weight.to(kind), None if bias is None else bias.to(kind)
        told = [*self.stride], [*self.padding], [*self.dilation], self.groups
        return _Convolution.apply(x, weight, bias, *told)  # type: ignore[no-untyped-call, no-any-return]
    return type(self)._conv_forward(self, x, weight, bias)  # type: ignore[arg-type, no-any-return]


class _Convolution(torch.autograd.Function):
    """The convolution as PyTorch has it but for how the weights' gradient is taken."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *told: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.told, ctx.biased = told, bias is not None
        stride, padding, dilation, groups = told
        return torch.convolution(x, weight, bias, stride, padding, dilation, False, [0] * len(stride), groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (x, weight), (out,), (stride, padding, dilation, groups) = ctx.saved_tensors, gradients, ctx.told
        told = stride, padding, dilation, False, [0] * len(stride)
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = _backward(out, x, weight, None, *told, groups, [True, False, False])[0]
        if ctx.needs_input_grad[1]:
            shares = torch.get_num_threads()
            out, x = _shared(out, shares), _shared(x, shares)
            repeated = weight.repeat(shares, *[1] * (weight.ndim - 1))
            bias = [len(repeated)] if ctx.biased else None
            _, *found = _backward(out, x, repeated, bias, *told, shares * groups, [False, True, ctx.biased])
            of_weight, of_bias = (None if one is None else one.unflatten(0, (shares, -1)).float().sum(0) for one in found)
        return of_x, of_weight, of_bias, None, None, None, None


def _shared(x: Tensor, shares: int) -> Tensor:
    """(items, channels, ...) as (items / shares, shares x channels, ...), with items of zeros where they do not divide."""
    if odd := -len(x) % shares:
        x = torch.cat([x, x.new_zeros(odd, *x.shape[1:])])
    return x.reshape(-1, shares * x.shape[1], *x.shape[2:])
