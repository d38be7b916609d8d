"""What selecting and training hand on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genwright.core.record import Record
from genwright.core.stored import Stored
from genwright.evaluation.records import Evaluation
from genwright.models.records import Candidate, Cost, Plan


class RaceEntry(Record):
    """A row of the selection table: every candidate, also those rejected before or during the race."""

    family: str
    dial: float
    goes_on: bool = Field(False, description="from the champion's weights rather than from random ones")
    cost: Cost | None
    verdict: Literal["won", "lost", "rejected"]
    reason: str
    measure: str | None = None
    scores: list[float] = Field(default_factory=list, description="the held-out measure after each heat")
    steps: list[int] = Field(default_factory=list, description="total steps after each heat")
    seconds_per_step: float | None = None
    measure_price: float = Field(0.0, description="what a held-out measure costs, in training steps; 0 where it was not asked")
    compiled: bool = Field(False, description="whether compiled blocks were found to pay")
    goes_on_at: int = Field(0, description="the step that the first round can go on from; 0: it cannot")


class Selection(Stored):
    """Who raced, who won, on which held-out measure, and why."""

    form = "selection"

    winner: Candidate
    measure: str
    better: Literal["lower", "higher"]
    table: list[RaceEntry]
    why: str


class CurvePoint(Record):
    """One row of the training curve. `losses` by player; `score` is the held-out measure where it was taken."""

    step: int
    losses: dict[str, float] = Field(default_factory=dict)
    score: float | None = None
    doubt: float | None = Field(None, description="by how much chance may have made the score better, at 95 %")
    train_loss: float | None = Field(None, description="loss of the averaged weights on training items")
    validation_loss: float | None = Field(None, description="the same on held-out items; None with several players")
    learning_rate: float | None = None
    items_per_second: float | None = None
    skipped: int = Field(0, description="updates skipped so far because a loss or gradient was not finite")


class TrainedModel(Stored):
    """The best weights of a round, on disk as a bundle (safetensors + JSON)."""

    form = "trained"

    plan: Plan
    data: str = Field(description="DatasetVersion.digest")
    path: str = Field(description="bundle folder, relative to the workspace")
    weights: str = Field(description="SHA-256 of weights.safetensors")
    best_step: int = Field(description="whose weights these are; 0: nothing that was measured was a number")
    kept: str = Field(description="why those, in words")
    steps_done: int
    best_score: float | None = Field(description="the measure at that step, where it was taken")
    stopped: Literal["budget", "early", "diverged", "out of memory"]
    curve: list[CurvePoint]
    seconds: float


class Diagnosis(Record):
    """What went wrong in a round and the plan for the next one, or that the round is good."""

    finding: Literal[
        "good", "diverged", "under-trained", "overfitted", "collapsed", "memorised", "out of memory", "not good enough"
    ]
    evidence: str
    change: str | None = Field(None, description="the change for the next round, in words")
    next_plan: Plan | None = None


class Round(Stored):
    """One turn of train, evaluate, diagnose."""

    form = "round"

    model: TrainedModel | None
    evaluation: Evaluation | None
    diagnosis: Diagnosis
    mlflow_run: str | None = None
