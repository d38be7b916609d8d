"""What was decided of a version."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, computed_field

from genwright.core.record import Record
from genwright.evaluation.bounds import GateVerdict
from genwright.evaluation.records import Evaluation


class Decision(Record):
    """What the gate decided about a challenger."""

    promote: bool
    verdicts: list[GateVerdict]
    champion: int | None = Field(None, description="version compared with; None when there is none")
    champion_evaluation: Evaluation | None = None
    reason: str


class Approval(Record):
    """What a person said of a version, or that nobody did in time."""

    approved: bool
    who: str
    why: str


class Promoted(Record):
    """What became of a version. `champion` is the version that serves now; None while there is none."""

    what: Literal["promoted", "champion already", "refused", "waits"]
    version: int
    champion: int | None
    reason: str

    @property
    def promoted(self) -> bool:
        """Whether the alias moved just now."""
        return self.what == "promoted"


class Outcome(Record):
    """The end of a run, for the person who started it."""

    name: str
    data: str
    version: int
    what: Literal["promoted", "champion already", "refused", "waits"]
    champion: int | None
    verdict: str = Field(description="one plain sentence")
    evaluation: Evaluation | None = Field(description="of the champion where this run's model is it, else of this run's model")
    samples: str | None = Field(None, description="path of the sample sheet")
    report: str | None = Field(None, description="path of the report page")
    steps_trained: int = Field(description="training steps done by this run; 0 when everything was there already")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def promoted(self) -> bool:
        """Whether the alias moved just now."""
        return self.what == "promoted"

    @property
    def stands(self) -> bool:
        """Whether this run's model is the champion."""
        return self.champion == self.version

    @property
    def champion_title(self) -> str:
        return "none" if self.champion is None else f"{self.name} version {self.champion}"
