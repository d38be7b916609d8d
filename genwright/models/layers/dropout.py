"""Dropout whose masks do not dominate a small network on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 16  # bits of chance for every number


class Dropout(nn.Dropout):
    """`nn.Dropout` (Srivastava et al. 2014). A CPU draws its random numbers one after another, a Bernoulli trial for every
    number took a fifth of a small U-Net's step; here one draw of 64 bits does for four, so p is a multiple of 1 / 2^16."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0 or x.device.type != "cpu":
            return super().forward(x)
        drawn = torch.empty(-(-x.numel() * WIDTH // 64), dtype=torch.int64).random_(-(2**63), None)
        chance = drawn.view(torch.int16)[: x.numel()].view(x.shape)
        kept: Tensor = (chance >= round(self.p * 2**WIDTH) - 2 ** (WIDTH - 1)).to(x.dtype)
        return x * kept.mul_(1 / (1 - float(self.p)))
