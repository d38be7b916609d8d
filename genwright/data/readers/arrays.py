"""Pictures in files of NumPy: one array of them, or an archive with their labels beside them, as MedMNIST comes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.readers.base import Claim, Reader, Row, readers
from genwright.data.tree import Tree, modified

RANK = 50
ENDINGS = (".npy", ".npz")
LABELS = ("labels", "label", "targets", "y", "classes")
SIDES = ("train", "val", "test")
ALONE = "array"  # what the array of a .npy file is called
MOST_SIDE = 4096


class ArraysOptions(Record):
    images: str | None = Field(None, description="name of the array of pictures in an archive; default: all that are pictures")
    classes: list[str] | None = Field(None, min_length=1, description="names of the labels 0, 1, ...")
    rows: tuple[int, int] | None = Field(None, description="the first picture that is taken, and the first that is not again")


@readers.register
class Arrays(Reader):
    """The pictures of every array of bytes, or of numbers from 0 to 1 or from -1 to 1: (n, rows, columns), with 1, 3 or 4
    channels last or first. In an archive labels lie beside them under the same beginning (`train_images`, `train_labels`).
    Arrays that would have to be unpickled are not read."""

    name = "arrays"
    Options: ClassVar[type[Record]] = ArraysOptions
    options: ArraysOptions

    @classmethod
    def recognise(cls, tree: Tree) -> Claim | None:
        for path in _files(tree):
            for name, shape in _shapes(path).items():
                if (seen := _layout(shape)) is not None:
                    size = f"{seen[1]} x {seen[2]}"
                    return Claim(f"{path.name}: {shape[0]:,} pictures of {size} in the array {name!r}", "image", RANK)
        return None

    def files(self) -> Iterator[Path]:
        yield from _files(self.tree)

    def rows(self) -> Iterator[Row]:
        count = 0
        for path in _files(self.tree):
            written, shapes = modified(path), _shapes(path)
            for name, shape in shapes.items():
                wanted = self.options.images is None or name == self.options.images
                if not wanted or _layout(shape) is None:
                    continue
                labels = _label_of(path, name, shapes, shape[0])
                for place, picture in self._pictures(path, name):
                    columns = {"content": picture}
                    if labels is not None:
                        columns["label"] = self._named(int(labels[place]), path)
                    count += 1
                    yield Row(f"{self.tree.name(path)}/{name}/{place:06d}.png", columns, written)
        if not count:
            there = "; ".join(
                f"{path.name}: {name} {shape}" for path in _files(self.tree) for name, shape in _shapes(path).items()
            )
            raise DataError(
                f"There are no pictures in the arrays at {self.tree.at}.",
                got=there or "no array",
                allowed="(n, rows, columns), with 1, 3 or 4 channels last or first",
            )

    def _pictures(self, path: Path, name: str) -> Iterator[tuple[int, bytes]]:
        """Place and PNG of each picture that is taken."""
        array = _array(path, name)
        first, last = self.options.rows or (0, len(array))
        low = float(array[: min(len(array), 256)].min()) if array.dtype.kind == "f" else 0.0
        for place in range(first, min(last, len(array))):
            picture = _channels_last(np.asarray(array[place]))
            if picture.dtype != np.uint8:
                picture = ((picture.astype(np.float64) + 1) / 2 if low < 0 else picture.astype(np.float64)) * 255
                picture = np.clip(np.nan_to_num(picture).round(), 0, 255).astype(np.uint8)
            out = io.BytesIO()
            Image.fromarray(picture).save(out, format="PNG")
            yield place, out.getvalue()

    def _named(self, label: int, path: Path) -> bytes:
        classes = self.options.classes
        if classes is None:
            return str(label).encode()
        if not 0 <= label < len(classes):
            raise DataError(f"A label in {path.name} has no name.", got=label, allowed=f"0 to {len(classes) - 1}")
        return classes[label].encode()


def _files(tree: Tree) -> list[Path]:
    every = (path for path in tree.paths() if path.suffix.lower() in ENDINGS)
    return [path for path in every if tree.chosen(path) is not False and tree.usable(path, whole=False)]


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of each array of numbers in a file, read from its header alone."""
    found = {}
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return {ALONE: shape} if (shape := _header(file)) is not None else {}
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith(".npy"):
                    with archive.open(member) as file:
                        if (shape := _header(file)) is not None:
                            found[member.removesuffix(".npy")] = shape
    except (OSError, ValueError, zipfile.BadZipFile):
        return {}
    return found


def _header(file: Any) -> tuple[int, ...] | None:
    """The shape of an array of bytes or numbers; None for any other."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(file)
    return tuple(int(a) for a in shape) if kind.kind in "uif" and not kind.hasobject else None


def _array(path: Path, name: str) -> NDArray[Any]:
    """Raises DataError for a file that ends early."""
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive[name])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path.name} is a damaged file of arrays.", got=error, do="fetch it again") from error


def _layout(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Channels, rows and columns of an array that holds pictures; None for one that does not."""
    if len(shape) == 3:
        found = (1, shape[1], shape[2])
    elif len(shape) == 4 and shape[3] in (1, 3, 4):
        found = (shape[3], shape[1], shape[2])
    elif len(shape) == 4 and shape[1] in (1, 3, 4):
        found = (shape[1], shape[2], shape[3])
    else:
        return None
    return found if shape[0] and all(4 <= a <= MOST_SIDE for a in found[1:]) else None


def _channels_last(picture: NDArray[Any]) -> NDArray[Any]:
    """(rows, columns), or with 3 or 4 channels last."""
    if picture.ndim == 3 and picture.shape[2] not in (1, 3, 4):
        picture = np.moveaxis(picture, 0, 2)
    return picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture


def _label_of(path: Path, name: str, shapes: dict[str, tuple[int, ...]], count: int) -> NDArray[Any] | None:
    """(count,) labels of the pictures called `name`; None where there are none."""
    before = next((f"{side}_" for side in SIDES if name.startswith(f"{side}_")), "")
    for label in (f"{before}{one}" for one in LABELS):
        if shapes.get(label) in ((count,), (count, 1)):
            return _array(path, label).reshape(-1)
    return None
