"""Optimisers and the learning-rate schedule of a plan."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from genwright.models.records import Plan


def build(module: nn.Module, plan: Plan) -> list[Optimizer]:
    """AdamW, or Muon (Jordan et al. 2024) for the hidden matrices with AdamW for the rest.

    Matrices are decayed, vectors are not. With Muon, 2-d weights go to it except embeddings and modules called `head`;
    its rate is matched to AdamW's update size (`match_rms_adamw`), so that one learning rate serves both.
    """
    hidden: list[nn.Parameter] = []
    matrices: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    outer = {
        id(p)
        for name, part in module.named_modules()
        if isinstance(part, nn.Embedding) or name.rsplit(".", 1)[-1] == "head"
        for p in part.parameters(recurse=False)
    }
    for parameter in module.parameters():
        if plan.optimizer == "muon" and parameter.ndim == 2 and id(parameter) not in outer:
            hidden.append(parameter)
        else:
            (matrices if parameter.ndim >= 2 else vectors).append(parameter)
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    beta2 = 0.99 if plan.optimizer == "adamw" else 0.95
    optimizers: list[Optimizer] = [
        AdamW([g for g in groups if g["params"]], lr=plan.learning_rate, betas=(plan.momentum, beta2), fused=True)
    ]
    if hidden:
        optimizers.append(Muon(hidden, lr=plan.learning_rate, weight_decay=plan.weight_decay, adjust_lr_fn="match_rms_adamw"))
    return optimizers


def rate(plan: Plan, step: int) -> float:
    """Learning rate of a step as a share of the plan's: linear warm-up, constant, linear decay to zero."""
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    falling = plan.decay * plan.steps
    return min(1.0, (plan.steps - step) / falling) if falling else 1.0


def pack(optimizers: dict[str, list[Optimizer]]) -> dict[str, Tensor]:
    """The optimisers' state as flat tensors: `PLAYER/OPTIMISER/PARAMETER/NAME`."""
    packed: dict[str, Tensor] = {}
    for player, members in optimizers.items():
        for place, optimizer in enumerate(members):
            for parameter, values in optimizer.state_dict()["state"].items():
                for name, value in values.items():
                    packed[f"{player}/{place}/{parameter}/{name}"] = torch.as_tensor(value)
    return packed


def unpack(optimizers: dict[str, list[Optimizer]], packed: dict[str, Tensor]) -> None:
    """Put back what `pack` gave."""
    states: dict[tuple[str, int], dict[int, dict[str, Any]]] = {}
    for key, value in packed.items():
        player, place, parameter, name = key.split("/")
        states.setdefault((player, int(place)), {}).setdefault(int(parameter), {})[name] = value
    for name, members in optimizers.items():
        for at, optimizer in enumerate(members):
            whole = optimizer.state_dict()
            whole["state"] = states.get((name, at), {})
            optimizer.load_state_dict(whole)
