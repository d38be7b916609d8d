"""A model on disk: safetensors, JSON and a manifest of hashes; built through the plug-ins, never unpickled.

weights.safetensors   the tensors of the state dict
model.json            BundleInfo: family, config, signature, columns, where it came from
columns/NAME/         what the modality of a recorded column learned (tokenizer, class names)
folds/N/              with cross-validation: the bundle of the model that was trained without part N
manifest.json         SHA-256 of every other file, written last
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from genwright import __version__
from genwright.core import stored
from genwright.core.durable import replacing, sha256, sync, write_json
from genwright.core.errors import FormatError, ModelError
from genwright.core.record import Part
from genwright.core.shapes import Shape, Signature
from genwright.core.stored import S, Stored
from genwright.data.dataset import Dataset, Kept
from genwright.data.encode import COLUMNS
from genwright.data.modalities.base import Modality, modalities
from genwright.data.modalities.base import build as build_modality
from genwright.data.view import View
from genwright.models.architectures.base import Architecture, architectures, build_model
from genwright.models.records import Plan, Used

WEIGHTS, INFO, MANIFEST, FOLDS = "weights.safetensors", "model.json", "manifest.json", "folds"


class BundleInfo(Stored):
    """Everything needed to build the model again, and where it came from."""

    form = "bundle"
    mend = "promote another version, or train it again"

    family: str
    config: dict[str, Any]
    signature: Signature
    view: View = Field(description="which columns those of the signature are, and how derived ones come about")
    columns: dict[str, Part] = Field(description="recorded columns that it bears on, the content first")
    kept: dict[str, Kept] = Field(default_factory=dict, description="what fixed derivations learned from its data")
    data: str = Field(description="DVC hash of the data it was trained on")
    plan: Plan
    uses: dict[str, Used] = Field(default_factory=dict, description="versions it was trained over, by the model's name")
    provided_by: dict[str, str] = Field(description="distribution and release of each part that is not of this one")
    genwright: str = __version__


@dataclass(frozen=True)
class Bundle:
    """A verified, loaded bundle. `modalities` are those of its recorded columns."""

    folder: Path
    info: BundleInfo
    model: Architecture
    modalities: Mapping[str, Modality]
    weights: str  # SHA-256 of weights.safetensors

    @property
    def content(self) -> Modality:
        """How what it makes is read and written. Raises ModelError for a model that makes codes of other columns."""
        makes = self.info.view.makes
        found = None if makes is None else column_of(makes, self.info.view, self.modalities, self.info.signature.makes)
        if found is None:
            raise ModelError("What this model makes is no file by itself.", got=makes, do="ask the model that it is a part of")
        return found


def save(
    folder: Path,
    model: Architecture,
    dataset: Dataset,
    *,
    plan: Plan,
    data: str,
    uses: Mapping[str, Used] | None = None,
) -> str:
    """Write a bundle, whole or not at all, over one that may be there; returns the SHA-256 of the weights."""
    contents = dataset.contents
    columns = {name: contents.columns[name].part for name in contents.names}
    with replacing(folder) as beside:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        save_file(tensors, beside / WEIGHTS)
        info = BundleInfo(
            family=model.name,
            config=model.config.model_dump(mode="json"),
            signature=model.signature,
            view=dataset.view,
            columns=columns,
            kept={name: one for name, one in dataset.derived.items() if isinstance(one, Kept)},
            data=data,
            plan=plan,
            uses=dict(uses or {}),
            provided_by=providers(model.name, columns),
        )
        stored.write(beside / INFO, info)
        shutil.copytree(dataset.folder / COLUMNS, beside / COLUMNS)
        seal(beside)
    return sha256(folder / WEIGHTS)


def providers(family: str, columns: Mapping[str, Part]) -> dict[str, str]:
    """Distribution and release of the parts a model needs that did not come with Genwright."""
    own = f"genwright {__version__}"
    found = {f"architecture {family}": architectures.provider(family)}
    found |= {f"modality {part.kind}": modalities.provider(part.kind) for part in columns.values()}
    return {part: by for part, by in sorted(found.items()) if by != own}


def column_of(name: str, view: View, known: Mapping[str, Modality], shape: Shape | None) -> Modality | None:
    """How a column is read and written: by its own modality, or, for one derived from others, by the kind of one of those in
    the shape it has; None where there is no such way (codes)."""
    if name in known or shape is None:
        return known.get(name)
    origins = (modality for origin, modality in known.items() if origin in view.origins(name))
    return next((found for modality in origins if (found := modality.fitting(shape)) is not None), None)


def seal(folder: Path) -> None:
    """Flush every file of a folder to disk and write the manifest of their hashes last."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / MANIFEST)
    for file in files:
        sync(file)
    write_json(folder / MANIFEST, {file.relative_to(folder).as_posix(): sha256(file) for file in files})


def fold(folder: Path, part: int) -> Path:
    """Where, in a bundle, that of the model lies that was trained without a part of the items; the bundle itself is 0."""
    return folder / FOLDS / str(part) if part else folder


def verify(folder: Path) -> dict[str, str]:
    """The manifest, once every file is there, is an ordinary file and has its hash. Raises ModelError otherwise."""
    manifest = folder / MANIFEST
    try:
        hashes: dict[str, str] = json.loads(manifest.read_text())
    except (OSError, ValueError) as error:
        raise ModelError("This folder holds no finished model.", got=folder, do="train it again, or fetch it again") from error
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()} - {MANIFEST}
    if there != set(hashes):
        raise ModelError("A model folder holds other files than its manifest.", got=sorted(there ^ set(hashes)))
    for name, expected in hashes.items():
        file = folder / name
        if file.is_symlink() or not file.is_file() or sha256(file) != expected:
            raise ModelError("A file of a model is altered.", got=file, do="promote a version whose bytes verify")
    return hashes


def verified(folder: Path) -> bool:
    """Whether `verify` passes."""
    try:
        verify(folder)
    except ModelError:
        return False
    return True


def info(folder: Path) -> BundleInfo:
    """What a model is, without building it. Raises ModelError when a file is altered, or of a form that cannot be read."""
    verify(folder)
    return told(BundleInfo, folder)


def told(kind: type[S], folder: Path) -> S:
    """What `model.json` says. Raises ModelError where it cannot be read."""
    try:
        return stored.read(kind, folder / INFO)
    except FormatError as error:
        raise ModelError(error.what, got=error.got, allowed=error.allowed, do=error.do) from error


def weights(folder: Path, digest: str) -> dict[str, Tensor]:
    """The tensors of a bundle. Raises ModelError unless the SHA-256 of its weights is `digest`."""
    held = verify(folder)[WEIGHTS]
    if held != digest:
        raise ModelError("The weights to go on from are not those that were chosen.", got=held, allowed=digest)
    return dict(load_file(folder / WEIGHTS))


def load(folder: Path, device: str = "cpu") -> Bundle:
    """The model in a folder, in evaluation mode. Raises ModelError when a file is altered or does not fit."""
    hashes = verify(folder)
    info = told(BundleInfo, folder)
    try:
        model = build_model(info.family, info.config, info.signature)
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (ValidationError, RuntimeError, SafetensorError, OSError) as error:
        raise ModelError("A model does not fit this release of Genwright.", got=f"{folder}: {error}") from error
    model.to(device).eval()
    found = {name: build_modality(part, folder / COLUMNS / name) for name, part in info.columns.items()}
    return Bundle(folder, info, model, found, hashes[WEIGHTS])
