"""The activation of all families that sample step by step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x) (Hendrycks and Gimpel 2016), of every number in the same way.

    On a CPU, PyTorch's own kernel computes the last numbers of a tensor, and of each thread's share of it, in another way
    than the rest. Where samples are drawn a row's numbers would then differ in their last bit with its place among others.
    """
    if x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled():
        share = x.neg().exp_().add_(1)
        return torch.div(x, share, out=share)
    return F.silu(x)


class Silu(nn.Module):
    """`silu` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        return silu(x)
