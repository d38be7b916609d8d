"""Items that are almost the same as an earlier one: copies with small edits, re-encoded or scaled pictures."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genwright.core.record import Record
from genwright.data.filters.base import LIKE, Entry, Filter, example, filters
from genwright.data.item import sha256
from genwright.data.modalities.base import Modality
from genwright.data.records import Side

PERMUTATIONS = 64  # of a signature: its estimate of likeness has a standard error of 0.05
WORD = re.compile(r"\w+|[^\w\s]")
PIECE = 4096  # shingles hashed at a time
BEGINNING = 1024  # bytes of a text beside the content by which two are compared
HASH, THUMBNAIL = 8, 16  # sides of a perceptual hash in bits and of a small version in pixels


class NearDuplicatesOptions(Record):
    threshold: float = Field(0.8, gt=0, le=1, description="texts: share of word triples in common that makes two alike")
    distance: int = Field(4, ge=0, le=16, description="pictures: differing bits, of 64, of hashes worth a closer look")
    alike: float = Field(0.997, gt=0, le=1, description="pictures: correlation of small versions that makes two alike")
    keep: list[str] = Field(default_factory=list, description="names of items that stay, whatever they are like")


class Known(NamedTuple):
    """An item that was kept: its name, its side, and how what it is given with begins."""

    name: str
    side: Side
    given: tuple[bytes, ...]


class Index(Protocol):
    """Remembers what it is given."""

    def seek(self, value: Any) -> Any:
        """What a value is known by."""

    def like(self, sought: Any) -> Iterator[Known]:
        """The earlier values like the one that is sought, the first first."""

    def remember(self, sought: Any, known: Known) -> None:
        """Have it found from now on."""


@filters.register
class NearDuplicates(Filter):
    """Keeps the first of items that are nearly the same. Texts: MinHash over word triples with locality-sensitive hashing
    (Broder 1997). Pictures: perceptual hash, confirmed on versions of 16 x 16, since small or simple pictures that differ
    can share a hash. Items that both have a label are compared where it is the same: a small picture of an O and of a 0 may
    well be alike. One answer to two questions, or one picture with two captions, is two items, if both lie on one side of the
    split. A few kilobytes an item are remembered."""

    name = "near_duplicates"
    Options: ClassVar[type[Record]] = NearDuplicatesOptions
    options: NearDuplicatesOptions

    def __init__(self, options: Record) -> None:
        super().__init__(options)
        self._indexes: dict[bytes, Index] = {}

    @classmethod
    def applies(cls, modality: Modality) -> str | None:
        return None if isinstance(example(modality), str | np.ndarray) else "compares texts and pictures"

    def reason(self, entry: Entry) -> str | None:
        if entry.label not in self._indexes:
            self._indexes[entry.label] = (Texts if isinstance(entry.value, str) else Pictures)(self.options)
        own = self._indexes[entry.label]
        others = [other for label, other in self._indexes.items() if other is not own and not (label and entry.label)]
        sought, known = own.seek(entry.value), Known(entry.item.name, entry.side, _given(entry))
        alike = (other for one in (own, *others) for other in one.like(sought))
        found = next((other for other in alike if self._same(other, known)), None)
        if found is None:
            own.remember(sought, known)
        return None if found is None or known.name in self.options.keep else f"{LIKE}{found.name}"

    def _same(self, one: Known, other: Known) -> bool:
        """Whether items of like content are like in all that both have; on two sides of the split the content is enough."""
        if one.side != other.side:
            return True
        pairs = zip(one.given, other.given, strict=True)
        return all(not a or not b or a == b or _in_common(a, b) >= self.options.threshold for a, b in pairs)


def _given(entry: Entry) -> tuple[bytes, ...]:
    """How each text begins that an item has beside its content, or the hash of what is no text; empty where it lacks it."""
    found = []
    for name in entry.given:
        data = entry.item.columns.get(name, b"")
        found.append(data[:BEGINNING] if b"\0" not in data else sha256(data).encode())
    return tuple(found)


def _in_common(a: bytes, b: bytes) -> float:
    """The share of word triples that two texts have in common (Jaccard)."""
    first, second = (set(_triples(text.decode("utf-8", "replace"))) for text in (a, b))
    return len(first & second) / len(first | second)


def _triples(text: str) -> list[bytes]:
    words = [word.encode() for word in WORD.findall(text)]
    return sorted({b" ".join(words[place : place + 3]) for place in range(max(1, len(words) - 2))})


class Texts:
    """Signatures of texts, in buckets."""

    def __init__(self, options: NearDuplicatesOptions) -> None:
        from datasketch import MinHashLSH

        self._threshold = options.threshold
        self._buckets = MinHashLSH(threshold=options.threshold, num_perm=PERMUTATIONS)
        self._signatures: list[NDArray[np.uint32]] = []
        self._known: list[Known] = []

    def like(self, sought: Any) -> Iterator[Known]:
        candidates: list[int] = self._buckets.query(sought)
        for place in sorted(candidates):
            if float(np.mean(self._signatures[place] == sought.hashvalues.astype(np.uint32))) >= self._threshold:
                yield self._known[place]

    def remember(self, sought: Any, known: Known) -> None:
        self._buckets.insert(len(self._known), sought, check_duplication=False)
        self._signatures.append(sought.hashvalues.astype(np.uint32))
        self._known.append(known)

    def seek(self, value: str) -> Any:
        """The MinHash of its word triples."""
        from datasketch import MinHash

        triples = _triples(value)
        minhash = MinHash(num_perm=PERMUTATIONS, hashfunc=zlib.crc32)
        for start in range(0, len(triples), PIECE):
            minhash.update_batch(triples[start : start + PIECE])
        return minhash


class Look(NamedTuple):
    """What a picture is known by."""

    bits: NDArray[np.bool_]
    thumbnail: NDArray[np.uint8]


class Pictures:
    """Perceptual hashes, found again by their parts: of hashes that differ in d bits, one of d + 1 parts is equal."""

    def __init__(self, options: NearDuplicatesOptions) -> None:
        self._options = options
        self._parts = np.array_split(np.arange(HASH * HASH), options.distance + 1)
        self._buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        self._looks: list[Look] = []
        self._known: list[Known] = []

    def seek(self, value: NDArray[np.uint8]) -> Look:
        """Its hash and a small version."""
        import imagehash
        from PIL import Image

        picture = Image.fromarray(value)
        bits = imagehash.phash(picture, hash_size=HASH).hash.ravel()
        return Look(bits, np.asarray(picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC)).ravel())

    def like(self, sought: Look) -> Iterator[Known]:
        for place in sorted({place for key in self._keys(sought) for place in self._buckets.get(key, ())}):
            look = self._looks[place]
            near = int((look.bits != sought.bits).sum()) <= self._options.distance
            if near and _correlation(look.thumbnail, sought.thumbnail) >= self._options.alike:
                yield self._known[place]

    def remember(self, sought: Look, known: Known) -> None:
        for key in self._keys(sought):
            self._buckets[key].append(len(self._known))
        self._looks.append(sought)
        self._known.append(known)

    def _keys(self, look: Look) -> list[tuple[int, bytes]]:
        return [(number, np.packbits(look.bits[part]).tobytes()) for number, part in enumerate(self._parts)]


def _correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Pearson's, so that brightness and contrast do not matter; 0 where one of them is blank."""
    x, y = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm else 0.0
