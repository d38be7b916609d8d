"""A data set as an older model reads it: the same items, seen as the model sees them and encoded with what it learned."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from genwright.core import stored
from genwright.core.durable import replacing, sha256
from genwright.core.errors import ModelError
from genwright.core.shapes import Label, Signal
from genwright.data import words
from genwright.data.dataset import Dataset
from genwright.data.encode import COLUMNS, Recorded, Writer
from genwright.data.modalities.base import build
from genwright.data.modalities.label import Labels
from genwright.data.records import CONTENTS, DatasetContents
from genwright.models.bundle import BundleInfo
from genwright.models.composition import CompositionInfo, described

OTHER = "it makes content of another kind or size"


class Incomparable(ModelError):
    """A model and a data set whose measures say nothing about another model's on the same items."""


@contextmanager
def reread(model: Path, dataset: Dataset, place: Path) -> Iterator[Dataset]:
    """The data set as `model` sees it, or where its tokenizers, class names and the like are not those of the
    bundle, a passing copy under `place` encoded with the bundle's.

    Raises Incomparable when the two are of different kinds, or are arrays of different sizes.
    """
    if _same(model, dataset.folder):
        yield Dataset(dataset.folder, described(model).view, dataset.kept)
        return
    place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place, prefix=".reread-") as folder:
        _encode(model, dataset, Path(folder))
        yield Dataset(Path(folder), described(model).view, dataset.kept)


def as_read_by(model: Path, dataset: Dataset, out: Path) -> Dataset:
    """The same, but a copy stays in `out`, and is taken from there the next time. Raises Incomparable."""
    if _same(model, dataset.folder):
        return Dataset(dataset.folder, described(model).view, dataset.kept)
    if not (out.is_dir() and _same(model, out)):
        with replacing(out) as folder:
            _encode(model, dataset, folder)
    return Dataset(out, described(model).view, dataset.kept)


def incomparable(model: Path, dataset: Dataset) -> str | None:
    """None, or why a model cannot read the items of a data set, is not what is asked for, or does not know all its labels."""
    info, contents = described(model), dataset.contents
    if _differ(info, contents):
        return OTHER
    if info.view != dataset.view:
        return "it is given other columns, or makes another one"
    for name, column in contents.columns.items():
        if isinstance(column.shape, Label):
            known = build(info.columns[name], model / COLUMNS / name)
            new = sorted(set(column.labels or []) - set(known.labels if isinstance(known, Labels) else []))
            if new:
                return f"it does not know the label(s) {', '.join(new)}"
    return None


def _differ(info: BundleInfo | CompositionInfo, contents: DatasetContents) -> bool:
    """Whether a model and a data set have columns of different kinds, or arrays of different sizes."""
    if {name: part.kind for name, part in info.columns.items()} != {n: c.part.kind for n, c in contents.columns.items()}:
        return True
    arrays = {name: column for name, column in contents.columns.items() if isinstance(column.shape, Signal)}
    return any(info.columns[name] != column.part for name, column in arrays.items())


def _encode(model: Path, dataset: Dataset, out: Path) -> None:
    """Write the items of a data set into the empty folder `out` as a model reads them."""
    info, contents = described(model), dataset.contents
    if _differ(info, contents):
        there = ", ".join(f"{name}: {column.shape}" for name, column in contents.columns.items())
        raise Incomparable(OTHER, got=", ".join(f"{name}: {part.kind}" for name, part in info.columns.items()), allowed=there)
    for shard in dataset.folder.glob("items-*.parquet"):
        (out / shard.name).symlink_to(shard)
    shutil.copytree(model / COLUMNS, out / COLUMNS)
    for name in contents.names:
        words.taken_over(dataset.folder / COLUMNS / name, out / COLUMNS / name)  # it learns from these texts from now on
    recorded = {
        name: Recorded(build(info.columns[name], out / COLUMNS / name), contents.columns[name].optional)
        for name in contents.names
    }
    written = Writer(out, recorded)
    written.write()
    for shard in out.glob("items-*.parquet"):
        shard.unlink()  # it may go on to name other items
    new = contents.model_copy(update={"columns": written.contents()})
    stored.write(out / CONTENTS, new)


def _same(model: Path, data: Path) -> bool:
    """Whether both learned the same: equal files under `columns/`, but for the words that were met."""
    return _learned(model) == _learned(data)


def _learned(folder: Path) -> dict[str, str]:
    files = [file for file in (folder / COLUMNS).glob("**/*") if file.is_file() and file.name != words.FILE]
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}
