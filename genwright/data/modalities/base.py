"""What a kind of content must offer. One file each in `modalities/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from genwright.core.plugins import Plugins
from genwright.core.record import Part, Record
from genwright.core.shapes import Shape


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
    measure: ClassVar[str] = ""  # the metric that compares families on this content
    suffix: str = ""  # of files it writes

    def __init__(self, options: Record) -> None:
        self.options = options

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

    @abstractmethod
    def encode(self, value: Any) -> NDArray[Any]:
        """The array of a value."""

    @abstractmethod
    def decode(self, array: NDArray[Any]) -> Any:
        """The value of an array; a model's Signal comes as float32 in [-1, 1], Tokens without special ids."""

    def missing(self) -> NDArray[Any] | None:
        """The array that stands for «no value» where this is a condition, or None when there is none to tell from a real
        one; items that lack their condition then go to quarantine."""
        return None

    @abstractmethod
    def write(self, value: Any) -> bytes:
        """The bytes of a file a person can open, ending in `suffix`. `read(write(value))` gives the value back."""

    @abstractmethod
    def preview(self, values: Sequence[Any], path: Path) -> Path:
        """One file that shows the values side by side (a contact sheet as PNG, a page of text); returns its path."""

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
