"""What selecting and training hand on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from genwright.core.record import Record
from genwright.core.stored import Stored
from genwright.evaluation.records import Evaluation
from genwright.models.records import Cost


class Candidate(Record):
    """One family at one size, with what it is expected to cost. `start` names the weights it begins from, where they are
    not random."""

    family: str
    dial: float
    config: dict[str, Any]
    cost: Cost
    batch_size: int
    start: str | None = Field(None, description="SHA-256 of the weights of the champion it goes on from")

    @property
    def title(self) -> str:
        return f"{self.family} x{self.dial:g}" + (" going on" if self.start else "")


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


class Selection(Stored):
    """Who raced, who won, on which held-out measure, and why."""

    form = "selection"

    winner: Candidate
    measure: str
    better: Literal["lower", "higher"]
    table: list[RaceEntry]
    why: str


class Pace(Stored):
    """Seconds a step of every racer, by its title: measured once, so that a race that goes on has the same steps."""

    form = "pace"

    seconds: dict[str, float] = Field(default_factory=dict)


class Plan(Record):
    """Everything a round of training depends on besides data and code. Minutes have become steps by now."""

    candidate: Candidate
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    accumulate: int = Field(1, gt=0, description="micro-batches a step; the effective batch is batch_size whatever it is")
    learning_rate: float = Field(gt=0)
    optimizer: Literal["adamw", "muon"] = "adamw"
    momentum: float = Field(0.9, ge=0, lt=1, description="AdamW's first beta")
    weight_decay: float = Field(0.0, ge=0)
    warmup: int = Field(0, ge=0, description="steps of linear warm-up")
    decay: float = Field(0.5, ge=0, le=1, description="share of the steps over which the rate falls linearly to zero")
    clip: float = Field(1.0, gt=0, description="global gradient norm")
    average: float = Field(0.999, ge=0, lt=1, description="decay of the exponential moving average of the weights")
    precision: Literal["float32", "bfloat16"] = "float32"
    evaluate_every: int = Field(gt=0, description="steps between held-out measures")
    patience: int = Field(0, ge=0, description="held-out measures without improvement before stopping; 0 never stops early")
    measure: str
    sampling: dict[str, Any] = Field(default_factory=dict, description="sampling options that differ from the family's own")
    samples: int = Field(256, gt=0, description="samples drawn for a held-out measure during training")
    seed: int = 0
    steps_left: int = Field(0, ge=0, description="steps that later rounds may still take")
    round: int = 1
    why: str = "first round"


class CurvePoint(Record):
    """One row of the training curve. `losses` by player; `score` is the held-out measure where it was taken."""

    step: int
    losses: dict[str, float] = Field(default_factory=dict)
    score: float | None = None
    train_loss: float | None = Field(None, description="loss of the averaged weights on training items")
    validation_loss: float | None = Field(None, description="the same on held-out items; None with several players")
    learning_rate: float | None = None
    items_per_second: float | None = None
    skipped: int = Field(0, description="updates skipped so far because a loss or gradient was not finite")


class Progress(Stored):
    """What a checkpoint holds besides tensors, in `state.json`; it changes at every step."""

    model_config = ConfigDict(frozen=False)
    form = "checkpoint"

    step: int = 0
    best_score: float | None = None
    best_step: int = 0
    stale: int = 0
    skipped: int = 0
    bad: int = 0
    rollbacks: int = 0
    accumulate: int = 1
    seconds: float = 0.0
    stopped: Literal["early", "diverged", "out of memory"] | None = None
    curve: list[CurvePoint] = Field(default_factory=list)


class TrainedModel(Stored):
    """The best weights of a round, on disk as a bundle (safetensors + JSON)."""

    form = "trained"

    plan: Plan
    data: str = Field(description="DatasetVersion.digest")
    path: str = Field(description="bundle folder, relative to the workspace")
    weights: str = Field(description="SHA-256 of weights.safetensors")
    best_step: int
    steps_done: int
    best_score: float | None
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
