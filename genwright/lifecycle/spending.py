"""What runs cost: time, processor time, memory and, where the machine tells, energy; and whether a recipe may spend more.

A run's figures are written down every few seconds, so that those of a killed run count too.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import Field

from genwright.core import stored
from genwright.core.errors import GenwrightError
from genwright.core.stored import Stored
from genwright.core.workspace import Workspace
from genwright.recipes.recipe import Recipe

EVERY = 15.0  # seconds between notes
RAPL = Path("/sys/class/powercap")


class LimitError(GenwrightError):
    """A recipe would spend more than it may."""


class Spent(Stored):
    """What one process spent on a run. `identity` is the run's, empty until that is known."""

    form = "spending"
    mend = "remove the file; what it counted is then not held against the limits"

    recipe: str
    began: datetime
    identity: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = Field(0.0, description="of this process and those it waited for, user and system")
    gpu_seconds: float | None = Field(None, description="for which a GPU was held; None without one")
    peak_memory_bytes: int = 0
    joules: float | None = Field(None, description="of the whole machine's processors; None where they do not tell")


class Meter:
    """Counts from its making on. `gpu` says that a GPU is held meanwhile."""

    def __init__(self, recipe: str, workspace: Workspace, gpu: bool) -> None:
        self.identity = ""
        self._recipe, self._gpu, self._began = recipe, gpu, datetime.now(UTC)
        self._rested = 0.0
        self._rests_since: float | None = None
        self._clock, self._cpu, self._energy = time.monotonic(), _cpu_seconds(), _counters()
        name = f"{self._began:%Y%m%dT%H%M%S%f}.json"
        self._path = workspace.state / "spending" / recipe / name

    def read(self) -> Spent:
        """The figures so far."""
        wall = (self._rests_since or time.monotonic()) - self._clock - self._rested
        return Spent(
            recipe=self._recipe,
            began=self._began,
            identity=self.identity,
            wall_seconds=wall,
            cpu_seconds=_cpu_seconds() - self._cpu,
            gpu_seconds=wall if self._gpu else None,
            peak_memory_bytes=_peak_memory(),
            joules=_joules(self._energy, _counters()),
        )

    @contextmanager
    def resting(self) -> Iterator[None]:
        """The block waits for a person: its time does not count."""
        self._rests_since = began = time.monotonic()
        try:
            yield
        finally:
            self._rested += time.monotonic() - began
            self._rests_since = None

    def note(self) -> None:
        """Write them down."""
        stored.write(self._path, self.read())


@contextmanager
def metered(recipe: str, workspace: Workspace, gpu: bool) -> Iterator[Meter]:
    """A meter for the length of the block, noted as it goes."""
    meter, ended = Meter(recipe, workspace, gpu), threading.Event()

    def keep() -> None:
        while not ended.wait(EVERY):
            meter.note()

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield meter
    finally:
        ended.set()
        thread.join()
        meter.note()


def spendings(workspace: Workspace, recipe: str) -> list[Spent]:
    """Everything spent on a recipe that can be read, oldest first."""
    files = sorted((workspace.state / "spending" / recipe).glob("*.json"))
    return [spent for file in files if (spent := stored.readable(Spent, file)) is not None]


def of_run(workspace: Workspace, recipe: str, identity: str) -> Spent:
    """What all processes together spent on a run; the peak is that of the largest."""
    mine = [spent for spent in spendings(workspace, recipe) if spent.identity == identity]
    gpu = [spent.gpu_seconds for spent in mine if spent.gpu_seconds is not None]
    joules = [spent.joules for spent in mine if spent.joules is not None]
    return Spent(
        recipe=recipe,
        began=min((spent.began for spent in mine), default=datetime.now(UTC)),
        identity=identity,
        wall_seconds=sum(spent.wall_seconds for spent in mine),
        cpu_seconds=sum(spent.cpu_seconds for spent in mine),
        gpu_seconds=sum(gpu) if gpu else None,
        peak_memory_bytes=max((spent.peak_memory_bytes for spent in mine), default=0),
        joules=sum(joules) if joules else None,
    )


def minutes_this_week(workspace: Workspace, recipe: str, now: datetime | None = None) -> float:
    """Minutes spent in the last seven days."""
    since = (now or datetime.now(UTC)) - timedelta(days=7)
    return sum(spent.wall_seconds for spent in spendings(workspace, recipe) if spent.began >= since) / 60


def allow(recipe: Recipe, workspace: Workspace, minutes: float, identity: str) -> None:
    """Raises LimitError, with the figures, where `minutes` more would go beyond what the recipe may spend."""
    limits = recipe.limits
    run = of_run(workspace, recipe.name, identity).wall_seconds / 60
    week = minutes_this_week(workspace, recipe.name)
    for words, spent, most, key in (
        ("a run", run, limits.minutes_per_run, "minutes_per_run"),
        ("the last seven days", week, limits.minutes_per_week, "minutes_per_week"),
    ):
        if most is not None and spent + minutes > most:
            raise LimitError(
                f"{recipe.name} would spend more time than it may in {words}.",
                got=f"{spent:.1f} minutes spent and about {minutes:.1f} to come",
                allowed=f"{most:g} minutes (`limits.{key}`)",
                do="lower the budgets of the recipe, raise the limit, or wait",
            )


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes under Linux


def _counters() -> dict[str, tuple[int, int]]:
    """Microjoules so far and the value they wrap at, by processor package, where they can be read (Intel's RAPL)."""
    found = {}
    for zone in RAPL.glob("intel-rapl:?") if RAPL.is_dir() else []:
        try:
            found[zone.name] = (int((zone / "energy_uj").read_text()), int((zone / "max_energy_range_uj").read_text()))
        except (OSError, ValueError):
            continue
    return found


def _joules(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> float | None:
    zones = [((after[name][0] - start) % wrap) for name, (start, wrap) in before.items() if name in after]
    return sum(zones) / 1e6 if zones else None
