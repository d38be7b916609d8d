"""What packages of their own import to bring parts: interfaces, registers, shapes and errors, whichever room they lie in.

A part is a class, registered by decorator, in a module that the package names under the entry-point group of its room:
`genwright.architectures`, `genwright.modalities`, `genwright.readers`, `genwright.sources`, `genwright.filters`,
`genwright.derivations`, `genwright.metrics`, `genwright.triggers`. Rooms may move; the names here stay.
"""

from genwright.core.batch import Batch, Given
from genwright.core.draws import Draws
from genwright.core.durable import write_bytes, write_json, write_text
from genwright.core.errors import DataError, GenwrightError, ModelError, ServiceError, TrainingError, Unreadable
from genwright.core.record import Part, Record
from genwright.core.shapes import BOS, EOS, PAD, Label, Port, Shape, Signal, Signature, Tokens
from genwright.core.span import Span, span
from genwright.data.dataset import Dataset
from genwright.data.derivations.base import Derivation, derivations
from genwright.data.feed import Side
from genwright.data.filters.base import Entry, Filter, filters
from genwright.data.item import Item
from genwright.data.modalities.base import Modality, modalities
from genwright.data.readers.base import Claim, Reader, Row, readers
from genwright.data.sources.base import Source, sources
from genwright.data.tree import Tree
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Evaluation, Measured
from genwright.models.architectures.base import (
    Architecture,
    ArchitectureConfig,
    Decodes,
    DenoiseOptions,
    Denoises,
    EmitOptions,
    Emits,
    Encodes,
    SampleOptions,
    ScoresTokens,
    TokenOptions,
    architectures,
)
from genwright.models.layers.conditioning import Conditioned, Conditioner
from genwright.triggers.base import Finding, Trigger, Watched, triggers

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "Architecture",
    "ArchitectureConfig",
    "Batch",
    "Claim",
    "Conditioned",
    "Conditioner",
    "DataError",
    "Dataset",
    "Decodes",
    "DenoiseOptions",
    "Denoises",
    "Derivation",
    "Draws",
    "EmitOptions",
    "Emits",
    "Encodes",
    "Entry",
    "Evaluand",
    "Evaluation",
    "Filter",
    "Finding",
    "GenwrightError",
    "Given",
    "Item",
    "Label",
    "Measured",
    "Metric",
    "Modality",
    "ModelError",
    "Part",
    "Port",
    "Reader",
    "Record",
    "Row",
    "SampleOptions",
    "ScoresTokens",
    "ServiceError",
    "Shape",
    "Side",
    "Signal",
    "Signature",
    "Source",
    "Span",
    "TokenOptions",
    "Tokens",
    "TrainingError",
    "Tree",
    "Trigger",
    "Unreadable",
    "Watched",
    "architectures",
    "bootstrap",
    "derivations",
    "filters",
    "metrics",
    "modalities",
    "readers",
    "sources",
    "span",
    "triggers",
    "write_bytes",
    "write_json",
    "write_text",
]
