"""How a model is kept current: when it is retrained, what is watched, who promotes, what it may cost.

Nothing here bears on what a run makes, so changing it trains nothing anew.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, model_validator

from genwright.core.record import Record
from genwright.core.span import Span, span

LEAST = timedelta(seconds=10)
"""Between two retrainings."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # what it raises depends on the name
        raise ValueError("no such time zone; names are like Europe/Madrid or UTC") from error
    return name


def _cron(text: str) -> str:
    try:
        CronSim(text, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"{error}; five fields are asked: minute hour day month weekday, e.g. '0 3 * * 1'") from error
    return text


class Schedule(Record):
    """When a model is retrained: at the times of a cron line in a time zone, or at an interval. Exactly one of the two."""

    cron: Annotated[str, AfterValidator(_cron)] | None = Field(None, description="minute hour day month weekday")
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    every: Span | None = Field(None, description="e.g. 6h")
    paused: bool = False

    @model_validator(mode="after")
    def _one(self) -> Schedule:
        if (self.cron is None) == (self.every is None):
            raise ValueError("give either `cron` or `every`")
        if self.every is not None and span(self.every) < LEAST:
            raise ValueError(f"a retraining every {self.every} would never end; the shortest interval is 10s")
        return self

    @property
    def words(self) -> str:
        """For a person."""
        words = f"every {self.every}" if self.every else f"{self.cron} ({self.timezone})"
        return f"{words}, paused" if self.paused else words

    def next_after(self, moment: datetime) -> datetime | None:
        """The next slot of a cron line; None for an interval, which counts from when it was set."""
        if self.cron is None:
            return None
        found: datetime = next(CronSim(self.cron, moment.astimezone(ZoneInfo(self.timezone))))
        return found


class Canary(Record):
    """What champion and challenger are both asked for, side by side in the report: what `genwright generate` takes."""

    n: int = Field(4, ge=1, le=16)
    seed: int = Field(7, ge=0)
    give: dict[str, Any] = Field(default_factory=dict, description="inputs by name, as `genwright show NAME` lists them")
    label: str | None = None
    prompt: str | None = None
    image: str | None = None
    sketch: str | None = None
    mask: str | None = None
    reference: str | None = None
    strength: float | None = None
    extend: str | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """Arguments of `Model.generate`."""
        return self.model_dump()

    @property
    def words(self) -> str:
        """What is asked, for a person."""
        given = {key: value for key, value in self.model_dump(exclude={"n", "seed", "give"}).items() if value is not None}
        return ", ".join([f"seed {self.seed}", *(f"{key} {value!r}" for key, value in {**self.give, **given}.items())])


class Promotion(Record):
    """When a challenger that passes the gates becomes champion, and how many versions are kept."""

    policy: Literal["automatic", "approval", "manual"] = "automatic"
    margin: float = Field(0.0, ge=0, description="how much better than the champion, as a share of its measure")
    timeout: Span = Field("3d", description="how long an approval is waited for; after that the version is not promoted")
    keep: int = Field(20, ge=3, description="versions kept; champions of old, the present and the previous one stay besides")


class SpendingLimits(Record):
    """What a recipe may cost on this machine. A run that would take more is refused."""

    minutes_per_run: float | None = Field(None, gt=0)
    minutes_per_week: float | None = Field(None, gt=0)
