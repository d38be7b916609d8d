"""Which data versions hold an item, and which model versions learned from it, themselves or through the weights they
began from."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow.parquet as pq

from genwright.adapters.dvc.data import Data, DataVersion
from genwright.adapters.mlflow.registry import Registry
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.workspace import Workspace
from genwright.data.forgotten import Forgotten, forgotten
from genwright.lifecycle.promotion import Check
from genwright.models.records import ModelVersion

Fate = Literal["train", "validation", "test", "quarantine"]
Way = Literal["training", "weights", "part", "choice", "measure"]


class Held(Record):
    """That a data version holds an item, and on which side; `quarantine` is where it was put aside."""

    recipe: str
    data: str
    recorded: str
    fate: Fate


class Learned(Record):
    """What a model version had to do with an item: `training` learned from it, `weights` began from a version that had,
    `part` is made over one that had, `choice` and `measure` were stopped or measured by it."""

    name: str
    version: int
    champion: bool
    through: Way

    @property
    def tainted(self) -> bool:
        """Whether the weights bear on the item."""
        return self.through in ("training", "weights", "part")


class Trace(Record):
    """Where an item went."""

    digest: str
    held: list[Held]
    learned: list[Learned]

    @property
    def to_retrain(self) -> list[str]:
        """Models whose champion learned from it."""
        return sorted({entry.name for entry in self.learned if entry.champion and entry.tainted})


def trace(registry: Registry, digest: str) -> Trace:
    """The data versions that hold an item, in any recipe, and the model versions made from them."""
    data = Data(registry.workspace)
    held = [
        Held(recipe=recipe, data=version.digest, recorded=version.recorded, fate=fate)
        for recipe in recipes(registry.workspace)
        for version in data.versions(recipe)
        if (fate := _fate(data, version, digest)) is not None
    ]
    fates = {entry.data: entry.fate for entry in held}
    learned = []
    for (name, number), through in _learned(registry, fates).items():
        champion = registry.standing(name) == number
        learned.append(Learned(name=name, version=number, champion=champion, through=through))
    return Trace(digest=digest, held=held, learned=learned)


def tainted(registry: Registry, version: ModelVersion) -> list[Forgotten]:
    """What a model version learned from although it is to be forgotten."""
    found = []
    for entry in forgotten(registry.workspace):
        learned = trace(registry, entry.digest).learned
        if any(one.tainted and (one.name, one.version) == (version.name, version.version) for one in learned):
            found.append(entry)
    return found


def untainted(registry: Registry) -> Check:
    """The check that a version learned from nothing that is to be forgotten."""

    def check(version: ModelVersion) -> None:
        if known := tainted(registry, version):
            raise ModelError("It learned from what is to be forgotten.", got=", ".join(entry.name for entry in known))

    return check


def recipes(workspace: Workspace) -> list[str]:
    """Recipes that have data versions."""
    return sorted(path.parent.name for path in workspace.data.glob("*/versions.jsonl"))


def _fate(data: Data, version: DataVersion, digest: str) -> Fate | None:
    """Where a data version holds an item; from the cache, so that nothing has to be checked out."""
    listing = data.stages.cache.listing(version.digest)
    files = listing.files if listing else {}
    sides: tuple[Fate, ...] = ("train", "validation", "test")
    for side in sides:
        oid = files.get(f"{side}.digests.npy")
        if oid is not None and (np.load(data.stages.cache.path(oid), mmap_mode="r") == digest.encode()).any():
            return side
    for path, oid in files.items():
        if path.startswith("quarantine-"):
            column = pq.read_table(io.BytesIO(data.stages.cache.path(oid).read_bytes()), columns=["digests"])["digests"]
            if any(digest in digests for digests in column.to_pylist()):
                return "quarantine"
    return None


def _learned(registry: Registry, fates: Mapping[str, Fate]) -> dict[tuple[str, int], Way]:
    """Every version that had to do with the item. What a version began from or is made over was made before it, but may
    have another name, so all are looked at until nothing is found any more."""
    ways: dict[Fate, Way] = {"train": "training", "validation": "choice", "test": "measure"}
    versions = [version for name in registry.versions.names() for version in registry.versions.of(name)] if fates else []
    tags = [(version, registry.versions.tags(version)) for version in versions]
    found: dict[tuple[str, int], Way] = {}
    bearing: set[str] = set()  # weights that bear on the item
    before = -1
    while before != len(bearing):
        before = len(bearing)
        for version, told in tags:
            over = {used["weights"] for used in json.loads(told.get("genwright.uses", "{}")).values()}
            through = ways.get(fates.get(version.data, "quarantine"))
            if through != "training" and told.get("genwright.start") in bearing:
                through = "weights"
            elif through != "training" and over & bearing:
                through = "part"
            if through in ("training", "weights", "part"):
                bearing.add(version.weights)
            if through is not None:
                found[version.name, version.version] = through
    return found
