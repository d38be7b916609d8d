"""Convolutions in bfloat16 that share a CPU with other work.

Where oneDNN takes the gradient of a convolution's weights in bfloat16, its threads meet after every item of the batch and
spin until the last one is there, for as long as that takes; nothing can tell them to sleep. A thread that has lost its
processor to other work then costs all of them a slice of time, thousands of times a step: beside eight busy processes a step
of a small U-Net took 20 to 160 times as long. In float32 they meet seldom, and what remains is a machine's share. A step on a
quiet machine takes 14 to 27 % longer with this one gradient in float32, and 13 to 60 % with everything in float32.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


def considerate(model: nn.Module) -> None:
    """Have the convolutions of a model take the gradients of their weights in float32, where they compute in bfloat16."""
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
    """The convolution as PyTorch has it but for the precision of the weights' gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *told: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.told, ctx.biased = told, bias is not None
        stride, padding, dilation, groups = told
        return torch.convolution(x, weight, bias, stride, padding, dilation, False, [0] * len(stride), groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (x, weight), (out,), (stride, padding, dilation, groups) = ctx.saved_tensors, gradients, ctx.told
        bias = [weight.shape[0]] if ctx.biased else None
        told = bias, stride, padding, dilation, False, [0] * len(stride), groups
        of_x, of_weight = ctx.needs_input_grad[0], ctx.needs_input_grad[1]
        back = torch.ops.aten.convolution_backward
        found = [None, None, None]
        if of_x:
            found[0] = back(out, x, weight, *told, [True, False, False])[0]
        if of_weight:
            found[1:] = back(out.float(), x.float(), weight.float(), *told, [False, True, ctx.biased])[1:]
        return *found, None, None, None, None
