"""A cleaned, encoded data set on disk, as one model sees it.

Files of a cleaned folder, for SIDE in train, validation, test:

- `dataset.json`: DatasetContents; `columns/NAME/`: what each column's modality learned
- `items-NNNN.parquet`: the kept items with provenance and original bytes, `quarantine-NNNN.parquet`: the dropped ones
- `SIDE.NAME.npy` and what lies beside it: see `columns.Column`
- `SIDE.bytes.npy` (n,) int64: raw bytes of each item's content; `SIDE.digests.npy` (n, columns) S64: its columns' hashes
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import Field
from torch import Tensor

from genwright.core import stored
from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.core.errors import DataError, nearest
from genwright.core.shapes import Port, Shape, Signature
from genwright.core.stored import Stored
from genwright.data.columns import Column
from genwright.data.derivations.base import Encoder, derivations
from genwright.data.encode import COLUMNS
from genwright.data.feed import Made, Side
from genwright.data.modalities.base import Modality
from genwright.data.modalities.base import build as build_modality
from genwright.data.records import CONTENTS, DatasetContents, contents_of
from genwright.data.view import Derived, View, Wanted

COLUMN = "column.json"


class Kept(Stored):
    """`column.json` of a derived column that was computed once for a data version. Its arrays lie beside it, called like
    those of a data set; a derivation that gives several columns keeps them together."""

    form = "column"
    mend = "move the folder it lies in aside and run the recipe again"
    signed = False  # DVC tells columns apart by their bytes

    derived: Derived
    shapes: dict[str, Shape]
    state: dict[str, list[float]] = Field(default_factory=dict, description="what the derivation learned")


class Making:
    """A derivation at work: it makes columns of the names in `shapes` from those in `of`."""

    def __init__(self, name: str, derived: Derived, of: Sequence[Shape], model: Encoder | None = None) -> None:
        kind = derivations.get(derived.part.kind)
        self.derivation = kind(kind.Options.model_validate(derived.part.options), model)
        self.of: Sequence[str] = derived.of
        self.drawn = kind.drawn
        parts = self.derivation.shapes(of)
        self._names = {part: named(name, part) for part in parts}
        self.shapes = {named(name, part): shape for part, shape in parts.items()}
        self.invertible = self.derivation.invertible

    def derive(self, of: Sequence[Given], draws: Draws) -> dict[str, Given]:
        return {self._names[part]: given for part, given in self.derivation.given(of, draws).items()}

    def measured(self, of: Sequence[Given], draws: Draws) -> dict[str, Given]:
        """The same of items that are measured."""
        found = self.derivation.unchanged(of)
        return self.derive(of, draws) if found is None else {self._names[part]: given for part, given in found.items()}

    def hide(self, value: Tensor, keep: Tensor) -> dict[str, Given]:
        """What a derivation that hides a part gives of a value of which `keep` is left."""
        found = self.derivation.hide(value, keep)
        return {self._names[part]: Given.all(value) for part, value in found.items()}


def named(name: str, part: str) -> str:
    """What a part of a derived column is called: the main part like the column itself."""
    return f"{name}_{part}" if part else name


class Dataset:
    """A cleaned folder, opened. Without a `view` the model sees the content made from every other recorded column. `kept`
    is the folder of derived columns that were computed once; a fixed one that is not there is made as it is asked for."""

    def __init__(self, folder: Path, view: View | None = None, kept: Path | None = None) -> None:
        if not (folder / CONTENTS).is_file():
            raise DataError("This is not a cleaned data set.", got=folder, do="run `genwright run` on its recipe first")
        self.folder, self.kept = folder, kept
        self.contents = contents_of(folder)
        self.view = view or whole(self.contents)
        self.derived = self._derived()
        self.signature = self._signature()
        self.train, self.validation, self.test = (self._side(name) for name in ("train", "validation", "test"))

    @property
    def makes(self) -> Shape:
        """The shape of what is made. Raises DataError for a view that makes nothing."""
        if self.signature.makes is None:
            raise DataError("This model makes nothing.", got=sorted(self.signature.given))
        return self.signature.makes

    def part(self, share: float) -> Dataset:
        """The same with a share of the training items."""
        found = copy(self)
        found.train = self.train.part(share)
        return found

    def side(self, name: str) -> Side:
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    @cached_property
    def modalities(self) -> dict[str, Modality]:
        """Of the recorded columns, as fitted."""
        return {
            name: build_modality(column.part, self.folder / COLUMNS / name) for name, column in self.contents.columns.items()
        }

    def shape(self, name: str) -> Shape:
        """The shape of a column. Raises DataError where there is none of that name."""
        if name in self.contents.columns:
            return self.contents.columns[name].shape
        for one in self.derived.values():
            if name in one.shapes:
                return one.shapes[name]
        there = [*self.contents.names, *(name for one in self.derived.values() for name in one.shapes)]
        raise DataError(f"There is no column {name!r}{nearest(name, there)}.", got=name, allowed=", ".join(there))

    def _derived(self) -> dict[str, Making | Kept]:
        """Every derived column that the view sees, after those it is made of."""
        self.derived = {}
        waiting = self.view.seen
        while waiting:
            names = {*self.contents.columns, *(name for one in self.derived.values() for name in one.shapes)}
            ready = [name for name, derived in waiting.items() if names.issuperset(derived.of)]
            if not ready:
                raise DataError("Derived columns are made of what is not there.", got=", ".join(sorted(waiting)))
            for name in ready:
                derived = waiting.pop(name)
                kept = self._kept(name, derived)
                if kept is not None:
                    self.derived[name] = kept
                else:
                    self.derived[name] = Making(name, derived, [self.shape(of) for of in derived.of])
        return self.derived

    def _kept(self, name: str, derived: Derived) -> Kept | None:
        """What was computed once for a column, where it was, and as the view asks."""
        file = None if self.kept is None else self.kept / name / COLUMN
        kept = stored.read(Kept, file) if file is not None and file.is_file() else None
        return kept if kept is not None and kept.derived == derived else None

    def _signature(self) -> Signature:
        makes = None if self.view.makes is None else self.shape(self.view.makes)
        given = {
            name: Port(shape=self.shape(name), optional=wanted.optional, drop=wanted.drop)
            for name, wanted in sorted(self.view.given.items())
        }
        return Signature(makes=makes, given=given)

    def _side(self, side: str) -> Side:
        columns = {
            name: Column(self.folder, f"{side}.{name}", column.shape, begin=name == self.view.makes)
            for name, column in self.contents.columns.items()
        }
        made: dict[str, Made] = {}
        for name, one in self.derived.items():
            for part, shape in one.shapes.items():
                if isinstance(one, Making):
                    made[part] = one
                else:
                    assert self.kept is not None
                    columns[part] = Column(self.kept / name, f"{side}.{part}", shape, begin=part == self.view.makes)
        sizes = np.load(self.folder / f"{side}.bytes.npy", mmap_mode="r")
        digests = np.load(self.folder / f"{side}.digests.npy", mmap_mode="r")
        return Side(side, columns, made, self.view.makes, self.signature, sizes, digests)


def whole(contents: DatasetContents) -> View:
    """The content made from every other recorded column."""
    given = {name: Wanted(optional=column.optional) for name, column in contents.columns.items() if name != contents.content}
    return View(makes=contents.content, given=given)
