"""Several models that make something together, on disk: no weights, but the versions of its members, pinned.

model.json            CompositionInfo
columns/NAME/         what the modality of a recorded column learned
manifest.json         SHA-256 of every other file, written last
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from genwright import __version__
from genwright.core.durable import replacing, sha256, write_json
from genwright.core.errors import ModelError
from genwright.core.record import Part, Record
from genwright.data.dataset import Dataset
from genwright.data.encode import COLUMNS
from genwright.data.view import View
from genwright.models import bundle
from genwright.models.bundle import INFO, seal, verify
from genwright.models.records import Used


class CompositionInfo(Record):
    """`view` is that of the whole: what it makes, and how derived columns come about. `members` are pinned versions by the
    name the recipe has for each, in the order in which they were made."""

    view: View
    columns: dict[str, Part] = Field(description="recorded columns")
    members: dict[str, Used]
    order: list[str]
    data: str = Field(description="DVC hash of the data its members were trained on")
    genwright: str = __version__


def save(folder: Path, dataset: Dataset, members: Mapping[str, Used], data: str) -> str:
    """Write a composition, whole or not at all; returns what identifies it: the SHA-256 of its description."""
    with replacing(folder) as beside:
        info = CompositionInfo(
            view=dataset.view,
            columns={name: column.part for name, column in dataset.contents.columns.items()},
            members=dict(members),
            order=list(members),
            data=data,
        )
        write_json(beside / INFO, info.model_dump(mode="json"))
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
    """What a composition is. Raises ModelError when a file is altered or of another release."""
    verify(folder)
    try:
        return CompositionInfo.model_validate_json((folder / INFO).read_text())
    except ValidationError as error:
        raise ModelError("A composition does not fit this release of Genwright.", got=f"{folder}: {error}") from error


def identity(folder: Path) -> str:
    """What a version of this folder is known by: the SHA-256 of its weights, or of what a composition consists of."""
    hashes = verify(folder)
    return hashes.get(bundle.WEIGHTS) or hashes[INFO]


def pinned(folder: Path) -> dict[str, Used]:
    """The versions that a model or composition needs to be used, by the name it has for each."""
    return info(folder).members if is_composition(folder) else bundle.info(folder).uses
