"""What a person sees while training: a bar with rate and time left, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from genwright.core.printable import printable
from genwright.training.records import CurvePoint

console = Console(stderr=True, highlight=False)
LINE_EVERY = 15.0  # seconds between lines where there is no terminal


def say(stage: str, text: str) -> None:
    """One line about a stage."""
    console.print(Text.assemble((f"{stage:>9}", "bold cyan"), "  ", printable(text, keep="\n")), soft_wrap=True)


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
        if due and not console.is_terminal:
            left = (self._total - point.step) / max(rate, 1e-9)
            say(self._stage, f"{self._title} {point.step}/{self._total}  {detail}  {left:.0f} s left")
            self._said = time.monotonic()


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
