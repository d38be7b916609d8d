"""What packages of their own import to bring parts: interfaces, registers, shapes and errors, whichever room they lie in.

A part is a class, registered by decorator, in a module that the package names under the entry-point group of its room:
`genwright.architectures`, `genwright.modalities`, `genwright.sources`, `genwright.filters`, `genwright.metrics`,
`genwright.triggers`. Rooms may move; the names here stay.
"""

from genwright.core.durable import write_bytes, write_json, write_text
from genwright.core.errors import DataError, GenwrightError, ModelError, ServiceError, TrainingError, Unreadable
from genwright.core.record import Part, Record
from genwright.core.shapes import BOS, EOS, PAD, Label, Shape, Signal, Tokens
from genwright.core.span import Span, span
from genwright.data.dataset import Batch, Dataset, Split
from genwright.data.filters.base import Entry, Filter, filters
from genwright.data.item import Item
from genwright.data.modalities.base import Modality, modalities
from genwright.data.sources.base import Source, sources
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Evaluation, Measured
from genwright.models.architectures.base import (
    Architecture,
    ArchitectureConfig,
    HasLatent,
    SampleOptions,
    ScoresTokens,
    architectures,
)
from genwright.triggers.base import Finding, Trigger, Watched, triggers

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "Architecture",
    "ArchitectureConfig",
    "Batch",
    "DataError",
    "Dataset",
    "Entry",
    "Evaluand",
    "Evaluation",
    "Filter",
    "Finding",
    "GenwrightError",
    "HasLatent",
    "Item",
    "Label",
    "Measured",
    "Metric",
    "Modality",
    "ModelError",
    "Part",
    "Record",
    "SampleOptions",
    "ScoresTokens",
    "ServiceError",
    "Shape",
    "Signal",
    "Source",
    "Span",
    "Split",
    "Tokens",
    "TrainingError",
    "Trigger",
    "Unreadable",
    "Watched",
    "architectures",
    "bootstrap",
    "filters",
    "metrics",
    "modalities",
    "sources",
    "span",
    "triggers",
    "write_bytes",
    "write_json",
    "write_text",
]
