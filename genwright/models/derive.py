"""Derived columns that are computed once for a data version and kept.

`python -m genwright.models.derive RECIPE COLUMN` is the data stage: it reads `data/RECIPE/derived/COLUMN.json` and
`data/RECIPE/clean`, and writes `data/RECIPE/derived/COLUMN`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from genwright import __version__
from genwright.core import stored
from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.core.durable import replacing
from genwright.core.errors import DataError
from genwright.core.stored import Stored
from genwright.core.workspace import Settings, Workspace
from genwright.data import stage
from genwright.data.arrays import ColumnWriter
from genwright.data.dataset import COLUMN, Dataset, Kept, Making
from genwright.data.encode import SIDES
from genwright.data.view import Derived, View, Wanted
from genwright.models import bundle
from genwright.models.architectures.base import encoder
from genwright.models.device import choose
from genwright.models.records import Used

ROWS = 128  # computed together


class DeriveSpec(Stored):
    """How a column is derived: equal specs over equal data give equal columns."""

    form = "derive"

    recipe: str
    column: str
    derived: Derived
    before: dict[str, Derived] = Field(default_factory=dict, description="derived columns that it is made of")
    states: dict[str, str] = Field(default_factory=dict, description="hashes of those of them that are kept")
    by: Used | None = Field(None, description="the version of the model that does it")
    bundle: str | None = Field(None, description="where that lies, relative to the workspace")
    genwright: str = __version__


def derive(spec: DeriveSpec, workspace: Workspace, out: Path, device: torch.device) -> Kept:
    """Write the column's arrays and `column.json` into `out`, whole or not at all. Raises DataError or ModelError."""
    view = View(makes=None, given={of: Wanted() for of in spec.derived.of}, derived=spec.before)
    dataset = Dataset(workspace.clean(spec.recipe), view, workspace.derived(spec.recipe))
    model = None if spec.bundle is None else bundle.load(workspace.root / spec.bundle, str(device))
    if model is not None and spec.by is not None and model.weights != spec.by.weights:
        raise DataError(f"{spec.by.model} is not the version that was asked for.", got=model.weights, allowed=spec.by.weights)
    making = Making(
        spec.column,
        spec.derived,
        [dataset.shape(of) for of in spec.derived.of],
        None if model is None else encoder(model.model),
    )
    making.derivation.fit(_values(making, dataset, device))
    kept = Kept(derived=spec.derived, shapes=making.shapes, state=making.derivation.state())
    with replacing(out) as folder:
        for side in SIDES:
            writers = {name: ColumnWriter(folder, f"{side}.{name}", shape) for name, shape in making.shapes.items()}
            for of, keys in _rows(making, dataset, side, device):
                made = making.derive(of, Draws(keys, device))
                for name, given in made.items():
                    for value, present in zip(given.value.cpu().numpy(), given.present.tolist(), strict=True):
                        writers[name].append(value if present else None)
            for writer in writers.values():
                writer.close()
        stored.write(folder / COLUMN, kept)
    return kept


def _rows(
    making: Making, dataset: Dataset, side: str, device: torch.device
) -> Iterator[tuple[list[Given], list[tuple[int, ...]]]]:
    """What the column is made of, of all rows of a side, some at a time, and what their draws are named by: the item itself, so
    that it draws the same whatever other items there are."""
    there = dataset.side(side)
    for start in range(0, len(there), ROWS):
        rows = np.arange(start, min(start + ROWS, len(there)))
        table = there.table(rows)
        yield [table[name].to(device) for name in making.of], [(int(digest[:15], 16),) for digest in there.digests[rows, 0]]


def _values(making: Making, dataset: Dataset, device: torch.device) -> Iterator[list[Tensor]]:
    """The values of the training items that lack nothing."""
    for of, _ in _rows(making, dataset, "train", device):
        whole = torch.stack([given.present for given in of]).all(dim=0)
        if bool(whole.any()):
            yield [given.value[whole] for given in of]


def _stage(recipe: str, column: str, workspace: Workspace) -> None:
    folder = workspace.derived(recipe)
    spec = stage.spec_of(DeriveSpec, folder / f"{column}.json", recipe)
    derive(spec, workspace, folder / column, choose(Settings()))


if __name__ == "__main__":
    sys.exit(stage.run(sys.argv[1:2], lambda recipe, workspace: _stage(recipe, sys.argv[2], workspace)))
