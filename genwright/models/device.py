"""The device, how it is made ready for work, and its abilities."""

from __future__ import annotations

import psutil
import torch

from genwright.core.errors import GenwrightError
from genwright.core.workspace import Settings
from genwright.models import allocator, waiting


def choose(settings: Settings) -> torch.device:
    """The device asked for; with `auto` the first GPU there is, else the CPU. Raises GenwrightError where it is not there."""
    if settings.device != "auto":
        return _named(settings.device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _named(name: str) -> torch.device:
    """The device of a name. Raises GenwrightError where there is none here."""
    there = ["cpu", *(f"cuda:{place}" for place in range(torch.cuda.device_count()))]
    there += ["mps"] if torch.backends.mps.is_available() else []
    known = {*there, *(one.partition(":")[0] for one in there)}
    if name not in known:
        raise GenwrightError(
            "There is no such device here.", got=f"GENWRIGHT_DEVICE={name}", allowed=", ".join(["auto", *there])
        )
    return torch.device(name)


def prepare(settings: Settings) -> torch.device:
    """The device, and the process made ready to compute on it: with as many threads as the settings say, which spin only
    where nobody else needs the processors, and memory that is kept between steps. The one place where any of it is set."""
    torch.set_num_threads(settings.threads)
    waiting.begin(settings.threads)
    allocator.keep()
    return choose(settings)


def settle(device: torch.device) -> None:
    """Wait until a device has done what it was given; a CPU always has."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def memory(device: torch.device) -> int:
    """Bytes of memory of a device, whatever of it is in use now."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(psutil.virtual_memory().total)


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
