"""What passes between stages: frozen, small, JSON-able; bulk stays on disk behind a path and a digest."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from genwright.shapes import Shape


class Record(BaseModel):
    """Base of everything that is stored or handed on."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


def fingerprint(*parts: Any) -> str:
    """Hex SHA-256 of what bears identity: records and plain JSON values, in canonical JSON."""

    def plain(part: Any) -> Any:
        return part.model_dump(mode="json") if isinstance(part, BaseModel) else part

    text = json.dumps([plain(p) for p in parts], sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()


def dotted(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values under keys like `a.b`; lists stay whole."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= dotted(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


class Part(Record):
    """A registered part as a recipe names it: `{kind: NAME, option: value, ...}`, options validated by the part."""

    kind: str
    options: dict[str, Any] = Field(default_factory=dict)


class DatasetVersion(Record):
    """A cleaned, split, encoded data set: what it holds and the DVC hash that identifies its bytes."""

    recipe: str
    digest: str = Field(description="DVC hash of the cleaned folder, e.g. '3f2a....dir'")
    path: str = Field(description="folder with the shards and arrays, relative to the workspace")
    contents: DatasetContents


class DatasetContents(Record):
    """`dataset.json` of a cleaned folder. Counts reconcile: collected = kept (sum of splits) + dropped (by reason)."""

    content: Shape
    condition: Shape | None
    content_part: Part
    condition_part: Part | None
    collected: int
    splits: dict[Literal["train", "validation", "test"], int]
    dropped: dict[str, int] = Field(description="items by the filter (or step) that dropped them")
    unconditioned: int = Field(0, description="kept items without a condition")
    bytes: dict[Literal["train", "validation", "test"], int] = Field(description="raw bytes of the kept items")
    tokens: dict[Literal["train", "validation", "test"], int] | None = None
    licences: dict[str, int] = Field(description="kept items by licence")
    sources: dict[str, int] = Field(description="kept items by source")
    labels: list[str] | None = Field(None, description="class names in order, where the condition is a label")
    label_counts: dict[str, int] | None = None


class Cost(Record):
    """Estimated before anything runs."""

    parameters: int
    flops_per_item: float = Field(description="forward and backward, one item")
    memory_bytes: int = Field(description="weights, gradients, optimiser state, averages and activations at the batch size")


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


class Selection(Record):
    """Who raced, who won, on which held-out measure, and why."""

    winner: Candidate
    measure: str
    better: Literal["lower", "higher"]
    table: list[RaceEntry]
    why: str


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


class TrainedModel(Record):
    """The best weights of a round, on disk as a bundle (safetensors + JSON)."""

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


class Measured(Record):
    """A measure with its 95 % bootstrap interval over `n` items. `detail` holds what the report shows beside it."""

    value: float
    low: float
    high: float
    n: int
    floor: float | None = Field(None, description="the same measure of real held-out items against real ones, where it has one")
    detail: dict[str, Any] = Field(default_factory=dict)


class GateVerdict(Record):
    """One gate: a bound in the recipe, or the comparison with the champion."""

    name: str
    passed: bool
    reason: str
    value: float | None = None
    bound: float | None = None


class Evaluation(Record):
    """A model on the test split. Two evaluations compare only when `evaluation_set` and `code` are equal."""

    model: str = Field(description="SHA-256 of the weights")
    evaluation_set: str = Field(description="fingerprint of the test items, sample count, sampling options and seed")
    code: str = Field(description="version of Genwright that measured")
    measures: dict[str, Measured]
    unmeasured: dict[str, str] = Field(default_factory=dict, description="measure to the reason it could not be taken")
    seconds: float = 0.0


class Diagnosis(Record):
    """What went wrong in a round and the plan for the next one, or that the round is good."""

    finding: Literal[
        "good", "diverged", "under-trained", "overfitted", "collapsed", "memorised", "out of memory", "not good enough"
    ]
    evidence: str
    change: str | None = Field(None, description="the change for the next round, in words")
    next_plan: Plan | None = None


class Round(Record):
    """One turn of train, evaluate, diagnose."""

    model: TrainedModel | None
    evaluation: Evaluation | None
    diagnosis: Diagnosis
    mlflow_run: str | None = None


class ModelVersion(Record):
    """A registered model version."""

    name: str
    version: int
    weights: str
    data: str
    recipe: str = Field(description="recipe fingerprint")
    run: str = Field(description="MLflow run id")


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


DatasetVersion.model_rebuild()
