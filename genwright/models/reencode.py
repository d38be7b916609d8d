"""A data set as an older model reads it: the same items, encoded with the modalities the model was trained with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from genwright.core.durable import replacing, sha256, write_json
from genwright.core.errors import ModelError
from genwright.core.shapes import Label, Signal
from genwright.data.dataset import Dataset
from genwright.data.encode import Writer
from genwright.data.modalities.base import build
from genwright.data.records import DatasetContents
from genwright.models import bundle

OTHER = "it makes content of another kind or size"


class Incomparable(ModelError):
    """A model and a data set whose measures say nothing about another model's on the same items."""


@contextmanager
def reread(model: Path, dataset: Dataset, place: Path) -> Iterator[Dataset]:
    """The data set, or where its tokenizer, class names and the like are not those of the bundle `model`, a passing copy
    under `place` encoded with the bundle's.

    Raises Incomparable when the two are of different kinds, or are arrays of different sizes.
    """
    if _same(model, dataset.folder):
        yield dataset
        return
    place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place, prefix=".reread-") as folder:
        _encode(model, dataset, Path(folder))
        yield Dataset(Path(folder))


def as_read_by(model: Path, dataset: Dataset, out: Path) -> Dataset:
    """The same, but a copy stays in `out`, and is taken from there the next time. Raises Incomparable."""
    if _same(model, dataset.folder):
        return dataset
    if not (out.is_dir() and _same(model, out)):
        with replacing(out) as folder:
            _encode(model, dataset, folder)
    return Dataset(out)


def incomparable(model: Path, dataset: Dataset) -> str | None:
    """None, or why a model cannot read the items of a data set, or could not be asked for all its labels."""
    info, contents = bundle.info(model), dataset.contents
    if _differ(info, contents):
        return OTHER
    if isinstance(info.condition, Label):
        known = getattr(build(info.condition_part, model / "condition"), "labels", []) if info.condition_part else []
        new = sorted(set(contents.labels or []) - set(known))
        return f"it does not know the label(s) {', '.join(new)}" if new else None
    return None


def _differ(info: bundle.BundleInfo, contents: DatasetContents) -> bool:
    """Whether a model and a data set are of different kinds, or arrays of different sizes."""
    kinds = [[part and part.kind for part in (x.content_part, x.condition_part)] for x in (info, contents)]
    return kinds[0] != kinds[1] or (isinstance(info.content, Signal) and info.content != contents.content)


def _encode(model: Path, dataset: Dataset, out: Path) -> None:
    """Write the items of a data set into the empty folder `out` as a model reads them."""
    info, contents = bundle.info(model), dataset.contents
    if _differ(info, contents):
        raise Incomparable(OTHER, got=info.content, allowed=contents.content)
    for shard in dataset.folder.glob("items-*.parquet"):
        (out / shard.name).symlink_to(shard)
    for role in ("content", "condition"):
        if (model / role).is_dir():
            shutil.copytree(model / role, out / role)
    condition = None if info.condition_part is None else build(info.condition_part, out / "condition")
    Writer(out, build(info.content_part, out / "content"), condition).write()
    for shard in out.glob("items-*.parquet"):
        shard.unlink()  # it may go on to name other items
    changes = {name: getattr(info, name) for name in ("content", "condition", "content_part", "condition_part")}
    labels = getattr(condition, "labels", None)
    new = contents.model_copy(update={**changes, "labels": labels, "label_counts": None, "tokens": None})
    write_json(out / "dataset.json", new.model_dump(mode="json"))


def _same(model: Path, data: Path) -> bool:
    """Whether both learned the same: equal files under `content/` and `condition/`."""
    return _learned(model) == _learned(data)


def _learned(folder: Path) -> dict[str, str]:
    files = [file for role in ("content", "condition") for file in (folder / role).glob("**/*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}
