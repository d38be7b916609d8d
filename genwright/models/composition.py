"""Several models that make something together, on disk: no weights, but the versions of its members, pinned.

model.json            CompositionInfo
columns/NAME/         what the modality of a recorded column learned
manifest.json         SHA-256 of every other file, written last
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from genwright import __version__
from genwright.core import stored
from genwright.core.durable import replacing, sha256
from genwright.core.record import Part
from genwright.core.stored import Stored
from genwright.data.dataset import Dataset
from genwright.data.encode import COLUMNS
from genwright.data.view import View
from genwright.models import bundle
from genwright.models.bundle import INFO, BundleInfo, seal, verify
from genwright.models.records import Used


class CompositionInfo(Stored):
    """`view` is that of the whole: what it makes, and how derived columns come about. `members` are pinned versions by the
    name the recipe has for each. `order` are those that the recipe trained, as it did: they make columns. The others encode."""

    form = "composition"
    mend = "promote another version, or run the recipe again"

    view: View
    columns: dict[str, Part] = Field(description="recorded columns")
    members: dict[str, Used]
    order: list[str]
    data: str = Field(description="DVC hash of the data its members were trained on")
    genwright: str = __version__


def save(folder: Path, dataset: Dataset, members: Mapping[str, Used], order: Sequence[str], data: str) -> str:
    """Write a composition, whole or not at all; returns what identifies it: the SHA-256 of its description. `order` are the
    members that make columns."""
    with replacing(folder) as beside:
        info = CompositionInfo(
            view=dataset.view,
            columns={name: column.part for name, column in dataset.contents.columns.items()},
            members=dict(members),
            order=list(order),
            data=data,
        )
        stored.write(beside / INFO, info)
        shutil.copytree(dataset.folder / COLUMNS, beside / COLUMNS)
        seal(beside)
    return sha256(folder / INFO)


def is_composition(folder: Path) -> bool:
    """Whether a folder holds a composition rather than one model."""
    try:
        return "members" in json.loads((folder / INFO).read_text())
    except (OSError, ValueError):
        return False


def info(folder: Path) -> CompositionInfo:
    """What a composition is. Raises ModelError when a file is altered, or of a form that cannot be read."""
    verify(folder)
    return bundle.told(CompositionInfo, folder)


def described(folder: Path) -> CompositionInfo | BundleInfo:
    """What lies in a folder: a composition, or one model. Raises ModelError as `info` does."""
    return info(folder) if is_composition(folder) else bundle.info(folder)


def identity(folder: Path) -> str:
    """What a version of this folder is known by: the SHA-256 of its weights, or of what a composition consists of."""
    hashes = verify(folder)
    return hashes.get(bundle.WEIGHTS) or hashes[INFO]


def pinned(folder: Path) -> dict[str, Used]:
    """The versions that a model or composition needs to be used, by the name it has for each."""
    told = described(folder)
    return told.members if isinstance(told, CompositionInfo) else told.uses
