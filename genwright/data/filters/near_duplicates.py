"""Items that are almost the same as an earlier one: copies with small edits, re-encoded or scaled pictures."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genwright.core.record import Record
from genwright.data.filters.base import LIKE, Entry, Filter, example, filters
from genwright.data.modalities.base import Modality

PERMUTATIONS = 64  # of a signature: its estimate of likeness has a standard error of 0.05
WORD = re.compile(r"\w+|[^\w\s]")
PIECE = 4096  # shingles hashed at a time
HASH, THUMBNAIL = 8, 16  # sides of a perceptual hash in bits and of a small version in pixels


class NearDuplicatesOptions(Record):
    threshold: float = Field(0.8, gt=0, le=1, description="texts: share of word triples in common that makes two alike")
    distance: int = Field(4, ge=0, le=16, description="pictures: differing bits, of 64, of hashes worth a closer look")
    alike: float = Field(0.997, gt=0, le=1, description="pictures: correlation of small versions that makes two alike")
    keep: list[str] = Field(default_factory=list, description="names of items that stay, whatever they are like")


class Index(Protocol):
    """Remembers what it is given."""

    def seek(self, value: Any) -> Any:
        """What a value is known by."""

    def like(self, sought: Any) -> str | None:
        """The name of an earlier value like the one that is sought."""

    def remember(self, sought: Any, name: str) -> None:
        """Have it found from now on."""


@filters.register
class NearDuplicates(Filter):
    """Keeps the first of items that are nearly the same. Texts: MinHash over word triples with locality-sensitive hashing
    (Broder 1997). Pictures: perceptual hash, confirmed on versions of 16 x 16, since small or simple pictures that differ
    can share a hash. Items that both have a label are compared where it is the same: a small picture of an O and of a 0 may
    well be alike. A few kilobytes an item are remembered."""

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
        sought = own.seek(entry.value)
        found = next((name for one in (own, *others) if (name := one.like(sought)) is not None), None)
        if found is None:
            own.remember(sought, entry.item.name)
        return None if found is None or entry.item.name in self.options.keep else f"{LIKE}{found}"


class Texts:
    """Signatures of texts, in buckets."""

    def __init__(self, options: NearDuplicatesOptions) -> None:
        from datasketch import MinHashLSH

        self._threshold = options.threshold
        self._buckets = MinHashLSH(threshold=options.threshold, num_perm=PERMUTATIONS)
        self._signatures: list[NDArray[np.uint32]] = []
        self._names: list[str] = []

    def like(self, sought: Any) -> str | None:
        candidates: list[int] = self._buckets.query(sought)
        for place in sorted(candidates):
            if float(np.mean(self._signatures[place] == sought.hashvalues.astype(np.uint32))) >= self._threshold:
                return self._names[place]
        return None

    def remember(self, sought: Any, name: str) -> None:
        self._buckets.insert(len(self._names), sought, check_duplication=False)
        self._signatures.append(sought.hashvalues.astype(np.uint32))
        self._names.append(name)

    def seek(self, value: str) -> Any:
        """The MinHash of its word triples."""
        from datasketch import MinHash

        words = [word.encode() for word in WORD.findall(value)]
        triples = sorted({b" ".join(words[place : place + 3]) for place in range(max(1, len(words) - 2))})
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
        self._known: list[Look] = []
        self._names: list[str] = []

    def seek(self, value: NDArray[np.uint8]) -> Look:
        """Its hash and a small version."""
        import imagehash
        from PIL import Image

        picture = Image.fromarray(value)
        bits = imagehash.phash(picture, hash_size=HASH).hash.ravel()
        return Look(bits, np.asarray(picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC)).ravel())

    def like(self, sought: Look) -> str | None:
        for place in sorted({place for key in self._keys(sought) for place in self._buckets.get(key, ())}):
            known = self._known[place]
            near = int((known.bits != sought.bits).sum()) <= self._options.distance
            if near and _correlation(known.thumbnail, sought.thumbnail) >= self._options.alike:
                return self._names[place]
        return None

    def remember(self, sought: Look, name: str) -> None:
        for key in self._keys(sought):
            self._buckets[key].append(len(self._names))
        self._known.append(sought)
        self._names.append(name)

    def _keys(self, look: Look) -> list[tuple[int, bytes]]:
        return [(number, np.packbits(look.bits[part]).tobytes()) for number, part in enumerate(self._parts)]


def _correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Pearson's, so that brightness and contrast do not matter; 0 where one of them is blank."""
    x, y = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm else 0.0
