"""A model on disk: safetensors, JSON and a manifest of hashes; built through the registry, never unpickled.

weights.safetensors   the tensors of the state dict
model.json            BundleInfo: family, config, shapes, modalities, where it came from
content/ condition/   what the modalities learned (tokenizer, class names)
manifest.json         SHA-256 of every other file, written last
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from genwright import __version__
from genwright.core.durable import replacing, sha256, sync, write_json
from genwright.core.errors import ModelError
from genwright.core.record import Part, Record
from genwright.core.shapes import Shape
from genwright.data.dataset import Dataset
from genwright.data.modalities.base import Modality
from genwright.data.modalities.base import build as build_modality
from genwright.models.architectures.base import Architecture, build_model
from genwright.models.records import Plan

WEIGHTS, INFO, MANIFEST = "weights.safetensors", "model.json", "manifest.json"


class BundleInfo(Record):
    """Everything needed to build the model again, and where it came from."""

    family: str
    config: dict[str, Any]
    content: Shape
    condition: Shape | None
    content_part: Part
    condition_part: Part | None
    data: str = Field(description="DVC hash of the data it was trained on")
    plan: Plan
    genwright: str = __version__


@dataclass(frozen=True)
class Bundle:
    """A verified, loaded bundle."""

    folder: Path
    info: BundleInfo
    model: Architecture
    content: Modality
    condition: Modality | None
    weights: str  # SHA-256 of weights.safetensors


def save(folder: Path, model: Architecture, dataset: Dataset, *, plan: Plan, data: str) -> str:
    """Write a bundle, whole or not at all, over one that may be there; returns the SHA-256 of the weights."""
    contents = dataset.contents
    with replacing(folder) as beside:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        save_file(tensors, beside / WEIGHTS)
        info = BundleInfo(
            family=model.name,
            config=model.config.model_dump(mode="json"),
            content=model.content,
            condition=model.condition,
            content_part=contents.content_part,
            condition_part=contents.condition_part,
            data=data,
            plan=plan,
        )
        write_json(beside / INFO, info.model_dump(mode="json"))
        shutil.copytree(dataset.folder / "content", beside / "content")
        if contents.condition_part is not None:
            shutil.copytree(dataset.folder / "condition", beside / "condition")
        seal(beside)
    return sha256(folder / WEIGHTS)


def seal(folder: Path) -> None:
    """Flush every file of a folder to disk and write the manifest of their hashes last."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    for file in files:
        sync(file)
    write_json(folder / MANIFEST, {file.relative_to(folder).as_posix(): sha256(file) for file in files})


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
    """What a model is, without building it. Raises ModelError when a file is altered or of another release."""
    verify(folder)
    try:
        return BundleInfo.model_validate_json((folder / INFO).read_text())
    except ValidationError as error:
        raise ModelError("A model does not fit this release of Genwright.", got=f"{folder}: {error}") from error


def weights(folder: Path, digest: str) -> dict[str, Tensor]:
    """The tensors of a bundle. Raises ModelError unless the SHA-256 of its weights is `digest`."""
    held = verify(folder)[WEIGHTS]
    if held != digest:
        raise ModelError("The weights to go on from are not those that were chosen.", got=held, allowed=digest)
    return dict(load_file(folder / WEIGHTS))


def load(folder: Path, device: str = "cpu") -> Bundle:
    """The model in a folder, in evaluation mode. Raises ModelError when a file is altered or does not fit."""
    hashes = verify(folder)
    try:
        info = BundleInfo.model_validate_json((folder / INFO).read_text())
        model = build_model(info.family, info.config, info.content, info.condition)
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (ValidationError, RuntimeError, SafetensorError, OSError) as error:
        raise ModelError("A model does not fit this release of Genwright.", got=f"{folder}: {error}") from error
    model.to(device).eval()
    condition = None if info.condition_part is None else build_modality(info.condition_part, folder / "condition")
    content = build_modality(info.content_part, folder / "content")
    return Bundle(folder, info, model, content, condition, hashes[WEIGHTS])
