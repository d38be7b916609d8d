"""The device and its numeric abilities."""

from __future__ import annotations

import torch

from genwright.core.workspace import Settings


def choose(settings: Settings) -> torch.device:
    """The device asked for; with `auto` the first GPU there is, else the CPU. Also caps the CPU threads."""
    torch.set_num_threads(settings.threads)
    if settings.device != "auto":
        return torch.device(settings.device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are faster than float32 ones there."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    return bool(torch.cpu._is_avx512_bf16_supported())


def out_of_memory(error: RuntimeError) -> bool:
    """Whether the error says that memory could not be had, on any device."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
