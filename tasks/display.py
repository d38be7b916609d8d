"""What a person sees while training: a bar with rate and time left, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from genwright.core.doing import listening
from genwright.core.printable import printable
from genwright.training.records import CurvePoint

console = Console(stderr=True, highlight=False)
LINE_EVERY = 15.0  # seconds between lines where there is no terminal
LOOK_EVERY = 0.2  # seconds between looks at the clock of what is told very often


def say(stage: str, text: str) -> None:
    """One line about a stage, here and on the page of the run."""
    console.print(Text.assemble((f"{stage:>9}", "bold cyan"), "  ", printable(text, keep="\n")), soft_wrap=True)
    note(stage, text)


def note(stage: str, text: str) -> None:
    """One line about a stage in the log that Prefect shows of this run; nothing outside a run."""
    with suppress(MissingContextError):
        get_run_logger().info("%s: %s", stage, printable(text, keep="\n"))


def tell(stage: str, text: str) -> None:
    """The same of progress, which a terminal shows as a bar."""
    (note if console.is_terminal else say)(stage, text)


class Bar:
    """Steps of one training. `advance` with every point of the curve; epochs come from units and batch size."""

    def __init__(self, progress: Progress, stage: str, title: str, total: int, units_per_step: float) -> None:
        self._progress, self._stage, self._title, self._total = progress, stage, title, total
        self._epochs = units_per_step
        self._task = progress.add_task(title, total=total, detail="")
        self._losses, self._score, self._said, self._began, self._first = "", "", time.monotonic(), time.monotonic(), 0

    def advance(self, point: CurvePoint, measure: str) -> None:
        """Show a step: losses, epoch, held-out measure, steps a second."""
        if not self._first:
            self._first = point.step
        if point.score is not None:
            self._score = f"  {measure} {point.score:.4g}"
        rate = (point.step - self._first + 1) / max(1e-9, time.monotonic() - self._began)
        if point.losses:  # a GPU tells them now and then
            self._losses = ", ".join(f"{name} {loss:.4f}" for name, loss in point.losses.items())
        detail = f"epoch {point.step * self._epochs:.1f}  {rate:.1f} steps/s  loss {self._losses}{self._score}"
        self._progress.update(self._task, completed=point.step, detail=detail)
        due = point.score is not None or time.monotonic() - self._said > LINE_EVERY
        if due:
            left = (self._total - point.step) / max(rate, 1e-9)
            tell(self._stage, f"{self._title} {point.step}/{self._total}  {detail}  {left:.0f} s left")
            self._said = time.monotonic()


class Doing:
    """What the work of a block does besides training steps: a bar while it is at it, `rest` when it is not."""

    def __init__(self, progress: Progress, stage: str) -> None:
        self._progress, self._stage = progress, stage
        self._task = progress.add_task(stage, total=None, visible=False, detail="")
        self._listening = listening(self._told)
        self._what, self._began, self._looked, self._said = "", 0.0, 0.0, time.monotonic()

    def __enter__(self) -> Self:
        self._listening.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.__exit__(None, None, None)
        self.rest()

    def rest(self) -> None:
        """It is done for now."""
        if self._what:
            self._what = ""
            self._progress.update(self._task, visible=False)

    def _told(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._began = what, now
            self._progress.reset(self._task, description=what, total=total, visible=True, detail="")
        elif now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        rate = done / (now - self._began) if now > self._began else 0.0
        self._progress.update(self._task, completed=done, total=total, detail=f"{rate:.1f} a second" if rate else "")
        if now - self._said > LINE_EVERY:
            left = f", {rate:.1f} a second, {(total - done) / rate:.0f} s left" if rate else ""
            tell(self._stage, f"{what}: {done} of {total}{left}")
            self._said = now


@contextmanager
def doing(stage: str) -> Iterator[None]:
    """Show what the block does."""
    with bars() as progress, Doing(progress, stage):
        yield


@contextmanager
def bars() -> Iterator[Progress]:
    """A place for progress bars; silent where there is no terminal, since `Bar` writes lines there."""
    columns = (
        TextColumn("{task.description:>22}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield progress
