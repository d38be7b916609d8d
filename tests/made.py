"""Made data sets, encoded without collecting or cleaning, so that tests of the library cost nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from genwright.core.durable import write_json
from genwright.core.record import Part
from genwright.core.shapes import Tokens
from genwright.data.dataset import Dataset
from genwright.data.modalities.base import Modality, build
from genwright.data.records import DatasetContents
from genwright.models import cost
from genwright.models.records import Candidate, Plan

SIDES = ("train", "validation", "test")
COUNTS = {"train": 96, "validation": 32, "test": 32}


def dataset(folder: Path, content: Part, condition: Part | None = None, counts: dict[str, int] = COUNTS) -> Dataset:
    """A data set of the modality's own fixtures, with the condition's fixtures going round beside them."""
    modality = build(content)
    files = type(modality).fixture(sum(counts.values()))
    given = build(condition) if condition else None
    kinds = 4 if condition and condition.kind == "label" else len(files)  # a few classes, many times each
    distinct = type(given).fixture(kinds) if given else []
    conditions = [distinct[i % kinds] for i in range(len(files))] if given else []
    folder.mkdir(parents=True)
    _fit(modality, files[: counts["train"]], folder / "content")
    if given:
        _fit(given, conditions, folder / "condition")
    at = 0
    for side in SIDES:
        rows = files[at : at + counts[side]]
        _write(folder, f"{side}.content", modality, rows)
        if given:
            _write(folder, f"{side}.condition", given, conditions[at : at + counts[side]])
        np.save(folder / f"{side}.bytes.npy", np.array([len(r) for r in rows], dtype=np.int64))
        np.save(folder / f"{side}.digests.npy", np.array([hashlib.sha256(r).hexdigest() for r in rows], dtype="S64"))
        at += len(rows)
    contents = DatasetContents(
        content=modality.shape,
        condition=given.shape if given else None,
        content_part=content,
        condition_part=condition,
        collected=len(files),
        splits={"train": counts["train"], "validation": counts["validation"], "test": counts["test"]},
        dropped={},
        bytes={"train": 1, "validation": 1, "test": 1},
        licences={},
        sources={},
        labels=getattr(given, "labels", None),
    )
    write_json(folder / "dataset.json", contents.model_dump(mode="json"))
    return Dataset(folder)


def _fit(modality: Modality, files: list[bytes], folder: Path) -> None:
    modality.fit([modality.read(f) for f in files])
    folder.mkdir()
    modality.save(folder)


def _write(folder: Path, stem: str, modality: Modality, files: list[bytes]) -> None:
    rows = [modality.encode(modality.read(f)) for f in files]
    if isinstance(modality.shape, Tokens):
        np.save(folder / f"{stem}.npy", np.concatenate(rows).astype(np.uint16))
        np.save(folder / f"{stem}.offsets.npy", np.cumsum([0, *map(len, rows)]).astype(np.int64))
    else:
        np.save(folder / f"{stem}.npy", np.stack(rows))


def pictures(folder: Path, **counts: int) -> Dataset:
    """Labelled 8x8 pictures."""
    image = Part(kind="image", options={"size": [8, 8], "channels": 1})
    return dataset(folder, image, Part(kind="label"), {**COUNTS, **counts})


def plan(data: Dataset, family: str, *, steps: int = 12, dial: float = 0.125, **fields: object) -> Plan:
    """A plan for the smallest model of a family."""
    from genwright.data.modalities.base import modalities
    from genwright.models.architectures.base import architectures

    kind, contents = architectures.get(family), data.contents
    config = kind.sized(contents.content, contents.condition, dial).model_dump(mode="json")
    price = cost.estimate(family, config, contents.content, contents.condition, 16)
    given = {
        "candidate": Candidate(family=family, dial=dial, config=config, cost=price, batch_size=16),
        "steps": steps,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "evaluate_every": 4,
        "samples": 32,
        "measure": modalities.get(contents.content_part.kind).measure,
        **fields,
    }
    return Plan.model_validate(given)
