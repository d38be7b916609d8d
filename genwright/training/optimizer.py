"""Optimisers, the learning-rate schedule of a plan, and updates that can be left out without asking the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from genwright.models.records import Plan

MOMENTUM = "momentum_buffer"  # Muon's name for its state


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
        muon = Muon(hidden, lr=plan.learning_rate, weight_decay=plan.weight_decay, adjust_lr_fn="match_rms_adamw")
        for parameter in hidden:  # made by the first update otherwise, too late for `step` to go back to
            muon.state[parameter][MOMENTUM] = torch.zeros_like(parameter)
        optimizers.append(muon)
    return optimizers


def rate(plan: Plan, step: int) -> float:
    """Learning rate of a step as a share of the plan's: linear warm-up, constant, linear decay to zero.

    So what a plan does before its decay is the beginning of every longer plan; and a round that goes on from the end of
    another is back at the full rate at once (WSD-S, Wen et al. 2024).
    """
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    falling = plan.decay * plan.steps
    return min(1.0, (plan.steps - step) / falling) if falling else 1.0


def step(member: Optimizer, rate: float, failed: Tensor) -> None:
    """One update at that rate, or none where `failed` (bool, a scalar on the parameters' device) says so. A GPU is not
    waited for: the fused AdamW looks at the flag itself, as it does for gradient scaling; Muon's tensors are put back."""
    for group in member.param_groups:
        group["lr"] = rate
    if not isinstance(member, Muon):
        member.grad_scale, member.found_inf = None, failed.float()  # type: ignore[attr-defined]
        member.step()
    elif failed.device.type != "cpu":
        step_back(member, failed)
    elif not failed:
        member.step()  # type: ignore[no-untyped-call]


def step_back(member: Muon, failed: Tensor) -> None:
    """Muon's update, and back to what was before where it `failed`: work for nothing, but no waiting."""
    tensors = [t for p, state in member.state.items() for t in (p.data, state[MOMENTUM])]
    before = [tensor.clone() for tensor in tensors]
    member.step()  # type: ignore[no-untyped-call]
    for tensor, old in zip(tensors, before, strict=True):
        tensor.copy_(torch.where(failed, old, tensor))


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
