"""Named tensors in a file of the safetensors form, which says itself whether it still is what was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from genwright.core.durable import write_bytes

SEAL = "sha256"  # the form itself has none: a byte that turned would be a weight like any other


def write(file: Path, tensors: Mapping[str, Tensor], **told: str) -> None:
    """Store tensors whole or not at all, with what is told of them."""
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_bytes(file, save(contiguous, told | {SEAL: _seal(contiguous, told)}))


def read(file: Path, **told: str) -> dict[str, Tensor] | None:
    """The tensors in a file; None where there is none, it is not whole or was altered, or something else is told of them."""
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as kept:
            known = dict(kept.metadata() or {})
            tensors = {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return None
    seal = known.pop(SEAL, None)
    return tensors if known == told and seal == _seal(tensors, told) else None


def _seal(tensors: Mapping[str, Tensor], told: Mapping[str, str]) -> str:
    hashed = hashlib.sha256(repr(sorted(told.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        hashed.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        if tensor.numel():
            hashed.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return hashed.hexdigest()
