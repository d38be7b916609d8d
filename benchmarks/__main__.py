"""All benchmarks, or those that are named, as one table."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import platform
import statistics
from collections import defaultdict
from pathlib import Path

import psutil
import torch

import benchmarks
from genwright.core.workspace import Settings
from genwright.models.device import prepare


def main() -> None:
    """Run them one after the other, the long ones only where they are named."""
    there = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_")]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(there))
    parser.add_argument("--quick", action="store_true", help="see that they run; the figures mean nothing")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(there):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    settings = Settings()
    print(f"{machine()}; {prepare(settings)}, {settings.threads} threads\n")
    print(f"{'benchmark':<16}{'what':<44}{'n':>4}{'median':>12}{'min':>12}{'max':>12}")
    for name in asked.names or there:
        benchmark = importlib.import_module(f"benchmarks.{name}")
        if getattr(benchmark, "LONG", False) and not asked.names and not asked.quick:
            continue
        seconds: dict[str, list[float]] = defaultdict(list)
        for what, taken in benchmark.runs(asked.quick):
            seconds[what].append(taken)
        for what, taken in seconds.items():
            figures = (statistics.median(taken), min(taken), max(taken))
            print(f"{name:<16}{what:<44}{len(taken):>4}" + "".join(f"{words(f):>12}" for f in figures), flush=True)


def machine() -> str:
    """What it is, in a line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), cpu)
    memory = psutil.virtual_memory().total / 2**30
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{cpu}, {psutil.cpu_count()} processors, {memory:.0f} GiB, {versions}"


def words(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


if __name__ == "__main__":
    main()
