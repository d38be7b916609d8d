"""What a model will cost, found out on shapes alone: nothing is allocated or computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from genwright.core.batch import Batch, Given, blank
from genwright.core.shapes import Signature
from genwright.models.architectures.base import build_model
from genwright.models.records import Cost

COPIES = 6  # of every weight while training: itself, gradient, two moments, average, best


class Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the arithmetic of matrix products, convolutions and attention, also within double backward (where
    FlopCounterMode's module hooks fail)."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def estimate(family: str, config: dict[str, Any], signature: Signature, batch_size: int) -> Cost:
    """Parameters, arithmetic and memory of one training step, traced on the meta device."""
    with torch.device("meta"):
        model = build_model(family, config, signature)
        content = None if signature.makes is None else blank(signature.makes, batch_size, "meta")
        given = {name: Given.none(port.shape, batch_size, "meta") for name, port in signature.given.items()}
        batch = Batch(content, given)
        saved: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            saved[id(tensor)] = tensor.numel() * tensor.element_size()
            kept.append(tensor)  # an address is an identity only while its tensor lives
            return tensor

        flops = 0
        peak = 0
        for player in model.players:
            kept: list[Tensor] = []
            saved.clear()
            with Flops() as counter, torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):  # type: ignore[no-untyped-call]
                model.loss(batch, player).backward()  # type: ignore[no-untyped-call]
            flops += counter.total
            peak = max(peak, sum(saved.values()))
    weights = sum(p.numel() for p in model.parameters())
    return Cost(parameters=weights, flops_per_item=flops / batch_size, memory_bytes=4 * COPIES * weights + peak)
