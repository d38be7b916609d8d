"""What lies in a folder or file: in which form, which kind of content, how much of it, of what size, asked for by what."""

from __future__ import annotations

import gzip
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genwright.core.errors import DataError, Unreadable
from genwright.core.record import Part
from genwright.core.shapes import Label, Port, Shape, Signature, Tokens
from genwright.data.fetch.unpack import opened, packed
from genwright.data.files import FileOptions
from genwright.data.item import Item
from genwright.data.modalities.base import Modality, modalities
from genwright.data.modalities.base import build as build_modality
from genwright.data.readers.base import Claim, readers
from genwright.data.readers.files import FilesReader
from genwright.data.readers.tar import Tar
from genwright.data.sides import Sides
from genwright.data.tree import Tree
from genwright.models.architectures.base import architectures
from genwright.recipes import to_come
from genwright.recipes.survey import SAMPLED, Met, Survey, survey

RARE = 5  # items of a label below which little can be learned of it
LARGEST, MOST = 8 * 2**20, 16 * 2**20  # bytes of an item that is read, and of all of them


@dataclass(frozen=True)
class Pictures:
    """Of the sampled pictures: median height and width in pixels, and whether they are all but grey."""

    height: int
    width: int
    grey: bool


@dataclass
class Inspection:
    """`claim` says how the data is read and why, `considered` how else it could be; `kind` is the modality of the content;
    `others` counts the files that are passed over, by ending."""

    at: Path
    form: str
    claim: Claim
    considered: dict[str, Claim]
    options: FileOptions
    kind: str
    items: int
    distinct: int  # items that differ in content
    places: list[tuple[str, str]] = field(repr=False)  # of some of those: see `Item.place`, `Item.given_side`
    bytes: int
    sampled: int  # items that were read
    unreadable: dict[str, str]  # those of them that cannot be used, with the reason
    skipped: dict[str, str]  # what is no item, with the reason
    others: dict[str, int]
    ending: str  # what most of the files' names end in
    shape: Shape
    pictures: Pictures | None = None
    gzip_bits: float | None = None  # bits a byte that `gzip -9` needs, item by item
    classes: dict[str, int] = field(default_factory=dict)  # items by label
    given: dict[str, int] = field(default_factory=dict)  # items that have a column besides the content and a label
    notes: list[str] = field(default_factory=list)  # what a person should hear of how it was read
    sample: list[Item] = field(default_factory=list, repr=False)  # spread over the data
    compared: int = 0  # items among which near duplicates were looked for
    alike: list[tuple[Met, Met]] = field(default_factory=list, repr=False)  # near duplicates: an earlier one and this

    @property
    def duplicates(self) -> int:
        return self.items - self.distinct

    @property
    def labels(self) -> str | None:
        """Where labels come from, for a file that is an item."""
        return self.options.labels

    @property
    def captions(self) -> str | None:
        """The ending of side files."""
        return self.options.captions

    @property
    def asked(self) -> str | None:
        """The kind of what items are made from, beside a label: a text that says what they are or that they answer, or a
        picture; None where there is nothing."""
        if not self.given:
            return None
        column = _commonest(self.given)
        shown = next((item.columns[column] for item in self.sample if column in item.columns), b"")
        with suppress(Unreadable):
            build_modality(Part(kind="image")).read(shown)
            return "image"
        return "text"

    def takers(self, **given: Shape) -> list[str]:
        """The families that model this content with these givens."""
        signature = Signature(makes=self.shape, given={name: Port(shape=shape) for name, shape in given.items()})
        return [name for name, family in architectures.all().items() if family.accepts(signature) is None]

    @property
    def labelled(self) -> bool:
        """Whether there are labels and a family that takes them."""
        return len(self.classes) > 1 and bool(self.takers(label=Label(classes=len(self.classes))))


def inspect(at: Path, cache: Path | None = None) -> Inspection:
    """Look at a folder, file or archive without changing it; an archive is unpacked below `cache`. Raises DataError when it
    is missing, empty, or holds nothing readable."""
    tree = _opened(at, cache)
    at, every = tree.at, [path for path in tree.paths() if tree.refused(path, whole=False) is None]
    if not every:
        raise DataError(f"There is no file in {at}.", do="put the data there, or name another folder")
    to_come.refuse(tree.root, every)
    claims = _claims(tree)
    if not claims:
        raise _unknown(at, every)
    form, claim = next(iter(claims.items()))
    options = _options(form, claim, tree)
    counted = survey(at, options, build_modality(Part(kind=claim.kind)))
    values, unreadable = _read(build_modality(Part(kind=claim.kind)), counted.sample)
    fitted = build_modality(Part(kind=claim.kind))
    fitted.fit(values)
    return Inspection(
        at=at,
        form=form,
        claim=claim,
        considered={name: one for name, one in claims.items() if name != form},
        options=options,
        kind=claim.kind,
        items=counted.items,
        distinct=counted.distinct,
        places=counted.places,
        bytes=counted.bytes,
        sampled=len(values) + len(unreadable),
        unreadable=unreadable,
        skipped=counted.skipped,
        others=_endings(path for path in every if path not in counted.files),
        ending=next(iter(_endings(counted.files)), ""),
        shape=fitted.shape,
        pictures=_pictures(values) if claim.kind == "image" else None,
        gzip_bits=_gzip_bits(fitted, values) if isinstance(fitted.shape, Tokens) else None,
        classes=counted.classes,
        given=dict(counted.given),
        notes=[*claim.notes, *_notes(options, counted)],
        sample=counted.sample,
        compared=counted.compared.count,
        alike=counted.compared.alike,
    )


def _notes(options: FileOptions, counted: Survey) -> Iterator[str]:
    """What a person should hear."""
    if options.splits:
        yield "names say what is held out, and that is respected"
    if len(counted.given) > 1:
        used = _commonest(counted.given)
        others = ", ".join(f"{n:,} with a {name}" for name, n in counted.given.items() if name != used)
        yield f"the recipe asks by the {used} alone; there are {others}, which `columns` of a recipe can name as well"
    if rare := [(label, n) for label, n in counted.classes.items() if n < RARE]:
        told = ", ".join(f"{label!r} {n}" for label, n in rare[:5]) + (", ..." if len(rare) > 5 else "")
        yield f"labels of fewer than {RARE} items, too few to learn: {told}"


def _commonest(given: Mapping[str, int]) -> str:
    """The column that most items have."""
    return max(given, key=lambda name: given[name])


def _opened(at: Path, cache: Path | None) -> Tree:
    """The files there, or in the archive there; shards are read as they are."""
    tree = Tree(at)
    if not packed(at) or cache is None or Tar.recognise(tree) is not None:
        return tree
    return Tree(opened(at, cache)[0])


def _claims(tree: Tree) -> dict[str, Claim]:
    """How the data could be read, the best first."""
    found = {name: claim for name, reader in readers.all().items() if (claim := reader.recognise(tree)) is not None}
    return dict(sorted(found.items(), key=lambda one: -one[1].rank))


def _unknown(at: Path, every: list[Path]) -> DataError:
    readable = "; ".join(
        f"{name}: {' '.join(sorted(kind.suffixes))}" for name, kind in modalities.all().items() if kind.suffixes
    )
    found = ", ".join(f"{count} x {ending}" for ending, count in _endings(every).items())
    return DataError(
        f"No file in {at} is of a kind that can be read.", got=found, allowed=readable, do="convert the files, or name another"
    )


def _options(form: str, claim: Claim, tree: Tree) -> FileOptions:
    """How a source has to read it."""
    splits = {"splits": True} if Sides.of_tree(tree).given else {}
    if form == FilesReader.name:
        return FileOptions.model_validate({**claim.options, **splits})
    return FileOptions.model_validate({"form": {"kind": form, **claim.options}, **splits})


def _endings(paths: Any) -> dict[str, int]:
    return dict(Counter(path.suffix.lower() or "no ending" for path in paths).most_common(8))


def _read(modality: Modality, sample: list[Item]) -> tuple[list[Any], dict[str, str]]:
    """Values of some items, and why others have none."""
    values, unreadable, opened = [], {}, 0
    for item in sample[:: max(1, len(sample) // SAMPLED)]:
        if len(item.data) > LARGEST or opened > MOST:
            continue
        opened += len(item.data)
        try:
            value = modality.read(item.data)
            reason = modality.keep(value)
        except (Unreadable, OSError) as error:
            reason = str(error)
        if reason is None:
            values.append(value)
        else:
            unreadable[item.name] = reason
    if not values and not unreadable:
        got = f"more than {LARGEST:,} bytes each"
        raise DataError("Every item that was looked at is too large.", got=got, do="cut them up")
    if not values:
        name, reason = next(iter(unreadable.items()))
        what = f"None of the {len(unreadable)} sampled items can be read as {modality.name}."
        raise DataError(what, got=f"{name}: {reason}", do="mend them")
    return values, unreadable


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
