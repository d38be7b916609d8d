"""What is known of a model: what it costs, how it is made, which version it is."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from genwright.core.record import Record


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


class Plan(Record):
    """Everything a round of training depends on besides data and code. Minutes have become steps by now."""

    candidate: Candidate
    steps: int = Field(gt=0, description="in all, those before this round among them")
    begins: int = Field(0, ge=0, description="steps made before this round: by the race, or by the round it goes on from")
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
    compiled: bool = Field(False, description="whether blocks are compiled, which changes the last bits")
    evaluate_every: int = Field(gt=0, description="steps between held-out losses")
    measure_every: int = Field(0, ge=0, description="steps between held-out measures; 0: whenever there are held-out losses")
    measure_price: float = Field(0.0, ge=0, description="what a held-out measure costs, in training steps")
    patience: int = Field(0, ge=0, description="held-out measures without improvement before stopping; 0 never stops early")
    measure: str
    asked: list[str] | None = Field(None, description="what is given for the held-out measure; None: all")
    sampling: dict[str, Any] = Field(default_factory=dict, description="sampling options that differ from the family's own")
    samples: int = Field(256, gt=0, description="samples drawn for a held-out measure during training")
    seed: int = 0
    steps_left: int = Field(0, ge=0, description="steps that later rounds may still take")
    round: int = 1
    why: str = "first round"


class ModelVersion(Record):
    """A registered model version."""

    name: str
    version: int
    weights: str
    data: str
    recipe: str = Field(description="recipe fingerprint")
    run: str = Field(description="MLflow run id")


class Used(Record):
    """A version that something was trained over, pinned: never looked up by a name that may move."""

    model: str
    version: int
    weights: str = Field(description="SHA-256 of its weights")


class VersionFacts(Record):
    """What a version is registered with. `weights` identifies its bytes, `recipe` what the recipe says of it."""

    weights: str
    data: str
    recipe: str
    title: str = Field(description="family and size, or what a composition is made of")
    start: str = ""
    uses: dict[str, Used] = Field(default_factory=dict)
    pipeline: str = ""
    licences: list[str] = Field(default_factory=list)
    description: str = ""

    @property
    def identity(self) -> dict[str, str]:
        """The tags by which a version is the same one."""
        return {"genwright.weights": self.weights, "genwright.data": self.data, "genwright.recipe": self.recipe}

    @property
    def tags(self) -> dict[str, str]:
        return {
            **self.identity,
            "genwright.pipeline": self.pipeline,
            "genwright.model": self.title,
            "genwright.start": self.start,
            "genwright.uses": json.dumps({key: used.model_dump() for key, used in sorted(self.uses.items())}),
            "genwright.licences": ", ".join(sorted(self.licences)),
        }
