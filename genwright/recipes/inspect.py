"""What lies in a folder: which kind of content, how much of it, of what size, with which labels or captions."""

from __future__ import annotations

import gzip
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from genwright.core.durable import sha256
from genwright.core.errors import DataError, Unreadable
from genwright.core.record import Part
from genwright.core.shapes import Label, Port, Shape, Signature, Tokens
from genwright.data.modalities.base import Modality, modalities
from genwright.data.modalities.base import build as build_modality
from genwright.models.architectures.base import architectures

SAMPLED = 200  # files that are opened, spread over the folder
LARGEST, MOST = 8 * 2**20, 16 * 2**20  # bytes of a file that is opened, and of all of them
MOST_CLASSES = 1000
SPLIT_NAMES = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}
CAPTION_ENDINGS = (".txt", ".caption")


@dataclass(frozen=True)
class Pictures:
    """Of the sampled pictures: median height and width in pixels, and whether they are all but grey."""

    height: int
    width: int
    grey: bool


@dataclass
class Inspection:
    """`kind` is the modality that reads most files; `others` counts the files it does not read, by ending."""

    folder: Path
    kind: str
    files: list[Path]
    others: dict[str, int]
    digests: list[str] = field(repr=False)  # hex SHA-256 of the distinct contents
    bytes: int
    unreadable: dict[str, str]  # sampled files that cannot be read, with the reason
    shape: Shape
    pictures: Pictures | None = None
    gzip_bits: float | None = None  # bits a byte that `gzip -9` needs, file by file
    labels: Literal["subfolder", "parent"] | None = None
    classes: dict[str, int] = field(default_factory=dict)  # files by label
    captions: str | None = None  # ending of the side files
    captioned: int = 0
    notes: list[str] = field(default_factory=list)  # what a person should hear of how it was read
    sampled: int = 0  # files that were opened

    @property
    def duplicates(self) -> int:
        return len(self.files) - len(self.digests)

    @property
    def ending(self) -> str:
        """What most of the files' names end in."""
        return next(iter(_endings(self.files)))

    def takers(self, **given: Shape) -> list[str]:
        """The families that model this content with these givens."""
        signature = Signature(makes=self.shape, given={name: Port(shape=shape) for name, shape in given.items()})
        return [name for name, family in architectures.all().items() if family.accepts(signature) is None]

    @property
    def labelled(self) -> bool:
        """Whether there are labels and a family that takes them."""
        return self.labels is not None and bool(self.takers(label=Label(classes=len(self.classes))))


def inspect(folder: Path) -> Inspection:
    """Look at a folder without changing it. Raises DataError when it is missing, empty, or holds nothing readable."""
    every = list(_walk(folder))
    if not every:
        raise DataError(f"There is no file in {folder}.", do="put the data there, or name another folder")
    captions, captioned = _captions(every)
    kind, files = _content(folder, [p for p in every if p not in captioned])
    modality = modalities.get(kind)
    values, unreadable = _read(build_modality(Part(kind=kind)), files)
    if not values:
        name, reason = next(iter(unreadable.items()))
        raise DataError(
            f"None of the {len(unreadable)} sampled files can be read as {kind}.", got=f"{name}: {reason}", do="mend the files"
        )
    fitted = build_modality(Part(kind=kind))
    fitted.fit(values)
    labels, classes = _labels(folder, files)
    notes = [f"{name!r} is a folder of one file: too little to learn that label" for name, n in classes.items() if n == 1][:3]
    if captioned and classes:
        notes = [f"{len(classes)} folders look like labels; the captions say more, so they are not taken as labels"]
        labels, classes = None, {}
    return Inspection(
        folder=folder,
        kind=kind,
        files=files,
        others=_endings(p for p in every if p.suffix.lower() not in modality.suffixes and p not in captioned),
        digests=list(dict.fromkeys(sha256(path) for path in files)),
        bytes=sum(path.stat().st_size for path in files),
        unreadable=unreadable,
        shape=fitted.shape,
        pictures=_pictures(values) if kind == "image" else None,
        gzip_bits=_gzip_bits(fitted, values) if isinstance(fitted.shape, Tokens) else None,
        labels=labels,
        classes=classes,
        notes=notes,
        sampled=len(values) + len(unreadable),
        captions=captions,
        captioned=len(captioned),
    )


def _walk(folder: Path) -> Iterator[Path]:
    """The files the folder source would collect: nothing hidden, no link out of the folder."""
    if not folder.is_dir():
        got = "a file" if folder.exists() else "nothing there"
        raise DataError(f"There is no folder at {folder}.", got=got, do="name a folder that exists")
    root = folder.resolve()
    for where, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if name[0] != ".")
        for name in sorted(names):
            path = Path(where) / name
            if name[0] != "." and path.is_file() and path.resolve().is_relative_to(root):
                yield path


def _captions(every: list[Path]) -> tuple[str | None, set[Path]]:
    """The ending of texts that lie beside pictures under the same name, and those texts, where most pictures have one."""
    pictures = {p.with_suffix("") for p in every if p.suffix.lower() in modalities.get("image").suffixes}
    for ending in CAPTION_ENDINGS:
        beside = {p for p in every if p.suffix.lower() == ending and p.with_suffix("") in pictures}
        if pictures and len(beside) >= len(pictures) / 2:
            return ending, beside
    return None, set()


def _content(folder: Path, paths: list[Path]) -> tuple[str, list[Path]]:
    """The kind of content with the most files, and those files."""
    readers = {name: kind.suffixes for name, kind in modalities.all().items() if kind.suffixes}
    by_kind = {name: [p for p in paths if p.suffix.lower() in suffixes] for name, suffixes in readers.items()}
    name = max(by_kind, key=lambda kind: len(by_kind[kind]))
    if not by_kind[name]:
        readable = "; ".join(f"{kind}: {' '.join(sorted(suffixes))}" for kind, suffixes in readers.items())
        found = ", ".join(f"{count} x {ending}" for ending, count in _endings(paths).items())
        do = "convert the files, or name another folder"
        raise DataError(f"No file in {folder} is of a kind that can be read.", got=found, allowed=readable, do=do)
    return name, by_kind[name]


def _endings(paths: Any) -> dict[str, int]:
    return dict(Counter(path.suffix.lower() or "no ending" for path in paths).most_common(8))


def _read(modality: Modality, files: list[Path]) -> tuple[list[Any], dict[str, str]]:
    """Values of files spread over the folder, and why some have none."""
    values, unreadable, opened = [], {}, 0
    for path in files[:: max(1, len(files) // SAMPLED)]:
        size = path.stat().st_size
        if size > LARGEST or opened > MOST:
            continue
        opened += size
        try:
            value = modality.read(path.read_bytes())
            reason = modality.keep(value)
        except (Unreadable, OSError) as error:
            reason = str(error)
        if reason is None:
            values.append(value)
        else:
            unreadable[path.name] = reason
    if not values and not unreadable:
        got = f"more than {LARGEST:,} bytes each"
        raise DataError("Every file that was looked at is too large.", got=got, do="cut them up, one file an item")
    return values, unreadable


def _labels(folder: Path, files: list[Path]) -> tuple[Literal["subfolder", "parent"] | None, dict[str, int]]:
    """Where labels come from, and how many files have each; nothing when folders do not look like classes.

    Folders called train, test and the like are not classes; the folder a file lies in may be.
    """
    relative = [path.relative_to(folder).parts for path in files]
    first = Counter(parts[0] for parts in relative if len(parts) > 1)
    split = {name.lower() for name in first} <= SPLIT_NAMES
    where: Literal["subfolder", "parent"] = "parent" if split else "subfolder"
    counts: defaultdict[str, int] = defaultdict(int)
    for parts in relative:
        if len(parts) > (2 if split else 1):
            counts[parts[-2] if split else parts[0]] += 1
    classes = {os.fsencode(name).decode("utf-8", "backslashreplace"): n for name, n in sorted(counts.items())}
    enough = sum(classes.values()) >= 0.5 * len(files) and statistics.median(classes.values() or [0]) >= 5
    if not 2 <= len(classes) <= MOST_CLASSES or not enough or not all(name.isprintable() and name.strip() for name in classes):
        return None, {}
    return where, classes


def _pictures(values: list[Any]) -> Pictures:
    coloured = [v for v in values if v.ndim == 3 and int(np.ptp(v.astype(np.int16), axis=2).max(initial=0)) > 8]
    return Pictures(
        height=int(statistics.median(v.shape[0] for v in values)),
        width=int(statistics.median(v.shape[1] for v in values)),
        grey=len(coloured) <= 0.02 * len(values),
    )


def _gzip_bits(modality: Modality, values: list[Any]) -> float:
    files = [modality.write(value) for value in values]
    return 8 * sum(len(gzip.compress(data, 9, mtime=0)) for data in files) / max(1, sum(map(len, files)))
