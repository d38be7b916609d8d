"""A classifier of arrays or texts, also of data of which only a few items carry a label.

Items without one are learned from by consistency (FixMatch: Sohn et al. 2020): what the classifier is sure of when it sees an
item one way it must also say when it sees it another way. The ways are columns: the item itself, and versions of it by
`augmented`. Of every batch a part has a label, however few items have one.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.batch import Batch, Given
from genwright.core.errors import ModelError
from genwright.core.shapes import Label, Shape, Signal, Signature
from genwright.models.architectures.base import Architecture, ArchitectureConfig, architectures
from genwright.models.layers.towers import TowerConfig, tower

LABELLED = 0.25  # share of every batch that has a label, at least


class ClassifierConfig(TowerConfig, ArchitectureConfig):
    dropout: float = 0.1
    consistency: float = Field(1.0, ge=0, description="weight of what is learned from items without a label")
    sure: float = Field(0.95, gt=0, lt=1, description="probability from which what it says counts as right")


@architectures.register
class Classifier(Architecture):
    """Scores of the classes of one label, from another column; it makes nothing."""

    name = "classifier"
    Config = ClassifierConfig
    defaults = {"learning_rate": 2e-3, "batch_size": 256, "average": 0.99, "weight_decay": 0.05, "precision": "bfloat16"}
    decodable: frozenset[str] = frozenset()
    config: ClassifierConfig

    def __init__(self, config: ClassifierConfig, signature: Signature) -> None:
        super().__init__(config, signature)
        self._label, self._views = _columns(signature)
        label = signature.given[self._label].shape
        assert isinstance(label, Label)
        self.classes = label.classes
        self.tower = tower(self._views[0], signature.given[self._views[0]].shape, config, config.width * 4, config.dropout)
        self.head = nn.Linear(config.width * 4, self.classes)

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        if signature.makes is not None:
            return "makes nothing: it tells the class of what it is given"
        labels = [name for name, port in signature.given.items() if isinstance(port.shape, Label)]
        shapes = {port.shape for name, port in signature.given.items() if name not in labels}
        if len(labels) != 1 or len(shapes) != 1:
            return "is given one label, and one column or several versions of it"
        return None

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> ClassifierConfig:
        return ClassifierConfig(width=max(8, 8 * round(4 * math.sqrt(dial))))

    @classmethod
    def sought(cls, signature: Signature) -> tuple[str, float]:
        return _columns(signature)[0], LABELLED

    @property
    def codes(self) -> dict[str, Shape]:
        """Of each version the scores of the classes, whose softmax is their probability."""
        return {name: Signal(channels=self.classes, bounded=False) for name in self._views}

    def encode(self, column: str, value: Tensor) -> Tensor:
        """(n, classes) scores."""
        return self.head(F.silu(self.tower(value))).float()  # type: ignore[no-any-return]

    def decode(self, column: str, code: Tensor) -> Tensor:
        raise ModelError("There is no way back from classes.", do="train a model that is given the label")

    def loss(self, batch: Batch, player: str) -> Tensor:
        """Mean surprise, in nats, at the right class of all versions of the rows that have a label, and while training at what
        it is sure of itself of the versions of all rows."""
        none = (
            (name, Given.none(port.shape, len(batch), self.head.weight.device)) for name, port in self.signature.given.items()
        )
        given = {name: batch.given.get(name, absent) for name, absent in none}
        label, views = given[self._label], [given[name] for name in self._views]
        scores = torch.stack([self.encode("", view.value) for view in views])
        there = torch.stack([view.present for view in views])
        right = F.cross_entropy(scores.flatten(0, 1), label.value.repeat(len(views)), reduction="none").view(len(views), -1)
        told = _mean(right, there & label.present)
        if len(views) < 2 or not self.config.consistency or not self.training:
            return told
        return told + self.config.consistency * self._consistency(scores, there)

    def _consistency(self, scores: Tensor, there: Tensor) -> Tensor:
        """Of scores (versions, n, classes): what it says of the version of a row that it is surest of, where it is sure
        enough, is right for the others."""
        several = there.sum(dim=0) > 1
        with torch.no_grad():
            best = (scores.softmax(dim=2) * there[..., None]).max(dim=2)
            surest = best.values.max(dim=0)
            told = best.indices.gather(0, surest.indices[None])[0]
        surprise = F.cross_entropy(scores.flatten(0, 1), told.repeat(len(scores)), reduction="none").view(len(scores), -1)
        counted = there & several
        return _mean(surprise, counted & (surest.values >= self.config.sure), of=counted)


def _columns(signature: Signature) -> tuple[str, list[str]]:
    """The label, and the versions of what is looked at."""
    labels = [name for name, port in signature.given.items() if isinstance(port.shape, Label)]
    return labels[0], [name for name in signature.given if name not in labels]


def _mean(values: Tensor, there: Tensor, of: Tensor | None = None) -> Tensor:
    """The mean of those values that are there, or their sum over the number of others."""
    count = (there if of is None else of).sum().clamp_min(1)
    return (values * there).sum() / count
