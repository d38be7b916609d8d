"""`torch.compile` for the blocks of transformers, where it pays.

Compiled code gives other last bits, so whether it is used is found out once, and is part of the plan.
"""

from __future__ import annotations

import torch
from torch import nn

from genwright.models.architectures.base import Architecture
from genwright.models.layers.transformer import Block

LEAST_MINUTES = {"cpu": 5.0, "cuda": 2.0}  # of a round, by device: compiling takes up to a minute


def worthwhile(model: Architecture, device: torch.device, minutes: float) -> bool:
    """Whether there is something to compile, and a round of so many minutes is long enough to try it."""
    return minutes >= LEAST_MINUTES.get(device.type, torch.inf) and bool(blocks(model))


def pays(eager: float, compiled: float, spent: float, minutes: float) -> bool:
    """Whether a round gains more than compiling takes: seconds of a step without and with it, and of the trial."""
    return minutes * 60 * (1 - compiled / eager) > spent


def blocks(model: Architecture) -> list[nn.Module]:
    """The parts worth compiling: blocks of transformers, which are many and alike."""
    return [part for part in model.modules() if isinstance(part, Block)]


def compile_blocks(model: Architecture) -> bool:
    """Compile them in place, when they are first used; whether there are any. Names in the state dict stay."""
    found = blocks(model)
    for block in found:
        block.compile()
    return bool(found)


def undo(model: Architecture) -> bool:
    """Back to what Python runs; False, as nothing is compiled any more."""
    for block in blocks(model):
        block._compiled_call_impl = None
    return False
