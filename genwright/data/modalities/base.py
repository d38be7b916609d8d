"""What a kind of content must offer. One file each in `modalities/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genwright.core.plugins import Plugins
from genwright.core.record import Part, Record
from genwright.core.shapes import BOS, EOS, PAD, Shape, Tokens

if TYPE_CHECKING:  # collecting and cleaning need no torch, whose import takes longer than small data
    from torch import Tensor


class Modality(ABC):
    """A kind of content: bytes of a file <-> a value (a picture, a text) <-> an array the models see.

    Life: built with options, `fit` once on the training values of a data version (a tokenizer learns its vocabulary, a
    label its classes), saved beside the data and inside every model bundle, loaded from there for good.

    An array is: for Signal `(channels, *axes)`, uint8 (0..255 stands for -1..1) or float32 in [-1, 1];
    for Tokens a 1-d integer array without BOS, EOS or padding; for Label an integer of shape ().
    """

    name: ClassVar[str]
    Options: ClassVar[type[Record]]
    suffixes: ClassVar[frozenset[str]] = frozenset()  # lower case with the dot, of files it reads
    suffix: str = ""  # of files it writes
    learns_from: ClassVar[int | None] = None  # bytes that are enough for `fit`, where a sample does
    optional: ClassVar[bool] = False  # whether items that lack it are kept where a recipe does not say

    def __init__(self, options: Record) -> None:
        self.options = options

    @property
    def part(self) -> Part:
        """What a recipe would call it."""
        return Part(kind=self.name, options=self.options.model_dump(mode="json", exclude_defaults=True))

    @abstractmethod
    def read(self, data: bytes) -> Any:
        """The value in a file's bytes. Raises Unreadable with the reason; refuses bombs before decoding them."""

    def keep(self, value: Any) -> str | None:
        """None, or the reason why the value is not worth keeping (empty, blank, too short)."""
        return None

    def fit(self, values: Iterable[Any]) -> None:
        """Learn from the training values what encoding needs. Streams: `values` may be larger than memory."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """The shape of encoded values; known after `fit`."""

    @property
    def outline(self) -> Shape | None:
        """A shape of the kind that `shape` will be, known from the options before `fit`; None where nothing can be said."""
        return None

    @abstractmethod
    def encode(self, value: Any) -> NDArray[Any] | None:
        """The array of a value; None for one that has none (a class that was not among the training items)."""

    def encode_all(self, values: Sequence[Any]) -> list[NDArray[Any] | None]:
        """The array of each value, where that is quicker together."""
        return [self.encode(value) for value in values]

    def doubts(self, value: Any) -> list[str]:
        """What a model that is given a value will not make of it as a person expects, in words; it is given it all the same."""
        return []

    @abstractmethod
    def decode(self, array: NDArray[Any]) -> Any:
        """The value of an array; a model's Signal comes as float32 in [-1, 1], Tokens without special ids."""

    def fitting(self, shape: Shape) -> Modality | None:
        """The same kind of content in another shape, for columns derived from this one; None where it has no such shape."""
        return self if shape == self.shape else None

    def masks(self, shape: Shape) -> Modality | None:
        """How what says where contents stay or are made anew is brought to their shape; margins that are added stay."""
        return self.fitting(shape)

    @abstractmethod
    def write(self, value: Any) -> bytes:
        """The bytes of a file a person can open, ending in `suffix`. `read(write(value))` gives the value back."""

    @abstractmethod
    def preview(self, values: Sequence[Any], path: Path, captions: Sequence[str] = ()) -> Path:
        """One file that shows the values side by side (a contact sheet as PNG, a page of text); returns its path.
        `captions` says of each what it was asked to be; nothing where they are empty."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `fit` learned (JSON only) into an existing folder."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""

    @classmethod
    @abstractmethod
    def fixture(cls, n: int, seed: int = 0) -> list[bytes]:
        """`n` tiny made files of this kind, different from each other, with something to learn in them."""


modalities: Plugins[Modality] = Plugins("modalities", "genwright.data.modalities")


def build(part: Part, folder: Path | None = None) -> Modality:
    """The modality a recipe or a data set names; with `folder`, as fitted there."""
    kind = modalities.get(part.kind)
    modality = kind(kind.Options.model_validate(part.options))
    if folder is not None:
        modality.load(folder)
    return modality


def decode(modality: Modality, rows: Tensor) -> list[Any]:
    """The values of samples: arrays as they are, sequences (n, length) up to their EOS."""
    if not isinstance(modality.shape, Tokens):
        return [modality.decode(row) for row in rows.numpy()]
    values = []
    for row in rows.numpy():
        ends = np.flatnonzero(row == EOS)
        row = row[: ends[0]] if len(ends) else row
        values.append(modality.decode(row[(row != PAD) & (row != BOS)]))
    return values


def words(modality: Modality | None, row: Tensor) -> str | None:
    """What a row says, where that is text or the name of a class; None where it is anything else."""
    if modality is None:
        return None
    value = decode(modality, row[None])[0]
    return value if isinstance(value, str) else None


def caption(said: Iterable[str | None]) -> str:
    """On one line what something was asked to be."""
    return "; ".join(" ".join(one.split()) for one in said if one)
