"""A data set in a model's own terms: its tokenizer and its class names, learned on older data, decide the encoding.

A champion is scored on the same items as its challenger, but the arrays of a data set are encoded by what was learned
from that data set. Where a model learned something else, the same items are encoded again with what the model carries.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from genwright.bundle import Bundle
from genwright.dataset import Dataset
from genwright.durable import replacing, write_json
from genwright.encode import SIDES, Writer


def for_model(loaded: Bundle, dataset: Dataset) -> Dataset:
    """The data set itself where the model was trained on the same encoding, else the same items encoded anew, kept beside
    the bundle."""
    roles = ["content"] if loaded.condition is None else ["content", "condition"]
    if all(_same(loaded.folder / role, dataset.folder / role) for role in roles):
        return dataset
    # Equal items in equal order have equal digests, so a copy of the right items can be told.
    out = loaded.folder.with_name(f"{loaded.folder.name}-encoded")
    if (out / "dataset.json").is_file():
        there = Dataset(out)
        if all(np.array_equal(there.side(side).digests, dataset.side(side).digests) for side in SIDES):
            return there
    with replacing(out) as folder:
        for shard in dataset.folder.glob("items-*.parquet"):
            os.link(shard, folder / shard.name)
        for role in roles:
            shutil.copytree(loaded.folder / role, folder / role)
        written = Writer(folder, loaded.content, loaded.condition)
        written.write()
        contents = dataset.contents.model_copy(
            update={
                "content": loaded.content.shape,
                "condition": None if loaded.condition is None else loaded.condition.shape,
                "content_part": loaded.info.content_part,
                "condition_part": loaded.info.condition_part,
                "labels": getattr(loaded.condition, "labels", None),
                "label_counts": None,
            }
        )
        write_json(folder / "dataset.json", contents.model_dump(mode="json"))
    return Dataset(out)


def _same(a: Path, b: Path) -> bool:
    names = {p.name for p in a.iterdir()} | {p.name for p in b.iterdir()}
    return all((a / n).is_file() and (b / n).is_file() and (a / n).read_bytes() == (b / n).read_bytes() for n in names)
