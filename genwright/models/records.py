"""What is known of a model."""

from __future__ import annotations

from pydantic import Field

from genwright.core.record import Record


class Cost(Record):
    """Estimated before anything runs."""

    parameters: int
    flops_per_item: float = Field(description="forward and backward, one item")
    memory_bytes: int = Field(description="weights, gradients, optimiser state, averages and activations at the batch size")


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
