"""Items that are almost the same as an earlier one: copies with small edits, re-encoded or scaled pictures."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genwright.core.record import Record
from genwright.data.filters.base import LIKE, Entry, Filter, example, filters
from genwright.data.item import sha256
from genwright.data.modalities.base import Modality

PERMUTATIONS = 64  # of a signature: its estimate of likeness has a standard error of 0.05
WORD = re.compile(r"\w+|[^\w\s]")
PIECE = 4096  # shingles hashed at a time
BEGINNING = 1024  # bytes of a text beside the content by which two are compared
HASH, THUMBNAIL = 8, 16  # sides of a perceptual hash in bits and of a small version in pixels
CACHE = 64 * 2**10  # KiB of the index that are held in memory


class NearDuplicatesOptions(Record):
    threshold: float = Field(0.8, gt=0, le=1, description="texts: share of word triples in common that makes two alike")
    distance: int = Field(4, ge=0, le=16, description="pictures: differing bits, of 64, of hashes worth a closer look")
    alike: float = Field(0.997, gt=0, le=1, description="pictures: correlation of small versions that makes two alike")
    keep: list[str] = Field(default_factory=list, description="names of items that stay, whatever they are like")


class Known(NamedTuple):
    """An item that was kept: its name, side and label, how what it is given with begins, and a sketch of its content."""

    name: str
    side: str
    label: bytes
    given: bytes
    sketch: bytes


class Sketcher(Protocol):
    """Tells likeness by sketches. Two that are alike share a key, nearly always."""

    def sketch(self, value: Any) -> tuple[bytes, list[bytes]]:
        """A sketch of a value, and its keys."""

    def alike(self, one: bytes, other: bytes) -> bool:
        """Whether sketches are of values that are nearly the same."""


@filters.register
class NearDuplicates(Filter):
    """Keeps the first of items that are nearly the same. Texts: MinHash over word triples with locality-sensitive hashing
    (Broder 1997). Pictures: perceptual hash, confirmed on versions of 16 x 16, since small or simple pictures that differ
    can share a hash. Items that both have a label are compared where it is the same: a small picture of an O and of a 0 may
    well be alike. One answer to two questions, or one picture with two captions, is two items, if both lie on one side of the
    split. What is remembered lies on the disk: about half a kilobyte an item."""

    name = "near_duplicates"
    Options: ClassVar[type[Record]] = NearDuplicatesOptions
    options: NearDuplicatesOptions

    def __init__(self, options: Record) -> None:
        super().__init__(options)
        self._sketcher: Sketcher | None = None
        self._index = Index()

    @classmethod
    def applies(cls, modality: Modality) -> str | None:
        return None if isinstance(example(modality), str | np.ndarray) else "compares texts and pictures"

    def reason(self, entry: Entry) -> str | None:
        if self._sketcher is None:
            self._sketcher = (Texts if isinstance(entry.value, str) else Pictures)(self.options)
        sketch, keys = self._sketcher.sketch(entry.value)
        own = Known(entry.item.name, entry.side, entry.label, _given(entry), sketch)
        found = next((other for other in self._index.sharing(keys) if self._same(other, own)), None)
        if found is None:
            self._index.remember(keys, own)
        return None if found is None or own.name in self.options.keep else f"{LIKE}{found.name}"

    def _same(self, one: Known, other: Known) -> bool:
        """Whether two items are alike in all that both have; on two sides of the split content and label are enough."""
        assert self._sketcher is not None
        labels = one.label == other.label or not one.label or not other.label
        if not labels or not self._sketcher.alike(one.sketch, other.sketch):
            return False
        pairs = zip(one.given.split(b"\0"), other.given.split(b"\0"), strict=True)
        return one.side != other.side or all(
            not a or not b or a == b or _in_common(a, b) >= self.options.threshold for a, b in pairs
        )


class Index:
    """Items by the keys of their sketches, in a file without a name that the system removes."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.executescript(
            f"""PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE};
            CREATE TABLE items (place INTEGER PRIMARY KEY, name TEXT, side TEXT, label BLOB, given BLOB, sketch BLOB);
            CREATE TABLE keys (key INTEGER, place INTEGER, PRIMARY KEY (key, place)) WITHOUT ROWID;
            BEGIN"""
        )

    def sharing(self, keys: Sequence[bytes]) -> Iterator[Known]:
        """The items that share a key, the first first."""
        asked = f"SELECT DISTINCT place FROM keys WHERE key IN ({', '.join('?' * len(keys))}) ORDER BY place"
        for (place,) in self._base.execute(asked, [_number(key) for key in keys]).fetchall():
            found = self._base.execute("SELECT name, side, label, given, sketch FROM items WHERE place = ?", (place,))
            yield Known(*found.fetchone())

    def remember(self, keys: Sequence[bytes], known: Known) -> None:
        """Have an item found from now on."""
        place = self._base.execute("INSERT INTO items VALUES (NULL, ?, ?, ?, ?, ?)", known).lastrowid
        self._base.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?)", [(_number(key), place) for key in keys])


def _number(key: bytes) -> int:
    """A number of 64 bits for a key."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big", signed=True)


def _given(entry: Entry) -> bytes:
    """How each text begins that an item has beside its content, or the hash of what is no text; empty where it lacks it."""
    told = (entry.item.columns.get(name, b"") for name in entry.given)
    return b"\0".join(data[:BEGINNING] if b"\0" not in data else sha256(data).encode() for data in told)


def _in_common(a: bytes, b: bytes) -> float:
    """The share of word triples that two texts have in common (Jaccard)."""
    first, second = (_triples(text.decode("utf-8", "replace")) for text in (a, b))
    return len(first & second) / len(first | second)


def _triples(text: str) -> set[bytes]:
    words = [word.encode() for word in WORD.findall(text)]
    return {b" ".join(words[place : place + 3]) for place in range(max(1, len(words) - 2))}


class Texts:
    """The sketch of a text is its MinHash over word triples, of which bands are the keys."""

    def __init__(self, options: NearDuplicatesOptions) -> None:
        from datasketch import MinHash, MinHashLSH

        self._threshold = options.threshold
        best = MinHashLSH(threshold=options.threshold, num_perm=PERMUTATIONS)
        self._bands, self._rows = best.b, best.r
        self._blank = MinHash(num_perm=PERMUTATIONS, hashfunc=zlib.crc32)

    def sketch(self, value: str) -> tuple[bytes, list[bytes]]:
        triples, minhash = list(_triples(value)), self._blank.copy()
        for start in range(0, len(triples), PIECE):
            minhash.update_batch(triples[start : start + PIECE])
        hashes = minhash.hashvalues.astype(np.uint32)
        bands = (hashes[band * self._rows : (band + 1) * self._rows] for band in range(self._bands))
        return hashes.tobytes(), [bytes([number]) + band.tobytes() for number, band in enumerate(bands)]

    def alike(self, one: bytes, other: bytes) -> bool:
        return float(np.mean(np.frombuffer(one, np.uint32) == np.frombuffer(other, np.uint32))) >= self._threshold


class Pictures:
    """The sketch of a picture is a perceptual hash and a small version. Of hashes that differ in d bits, two of d + 2 parts are
    equal; any two of them are a key. One of d + 1 would do, but so short a key is shared by thousands of strangers."""

    def __init__(self, options: NearDuplicatesOptions) -> None:
        self._options = options
        parts = np.array_split(np.arange(HASH * HASH), options.distance + 2)
        self._pairs = [np.concatenate(pair) for pair in combinations(parts, 2)]

    def sketch(self, value: NDArray[np.uint8]) -> tuple[bytes, list[bytes]]:
        import imagehash
        from PIL import Image

        picture = Image.fromarray(value)
        bits = imagehash.phash(picture, hash_size=HASH).hash.ravel()
        small = np.asarray(picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC)).ravel()
        keys = [bytes([number]) + np.packbits(bits[pair]).tobytes() for number, pair in enumerate(self._pairs)]
        return np.packbits(bits).tobytes() + small.tobytes(), keys

    def alike(self, one: bytes, other: bytes) -> bool:
        size = HASH * HASH // 8
        a, b = (np.frombuffer(sketch, np.uint8) for sketch in (one, other))
        if int(np.unpackbits(a[:size] ^ b[:size]).sum()) > self._options.distance:
            return False
        return _correlation(a[size:], b[size:]) >= self._options.alike


def _correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Pearson's, so that brightness and contrast do not matter; 0 where one of them is blank."""
    x, y = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm else 0.0
