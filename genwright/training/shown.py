"""What the averaged weights make while a model trains: samples of the same few seeds, on a sheet a held-out measure.

They are the first that the measure drew, so they cost nothing; the sheets can be deleted at any time.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from genwright.data.dataset import Dataset
from genwright.data.modalities.base import decode
from genwright.models.bundle import column_of

COUNT = 8
FOLDER = "shown"


def keep(folder: Path, step: int, rows: Tensor, dataset: Dataset) -> None:
    """The sheet of a step, in the folder of a training; nothing where what is made is no file by itself."""
    makes = dataset.view.makes
    reader = None if makes is None else column_of(makes, dataset.view, dataset.modalities, dataset.shape(makes))
    if reader is not None:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        reader.preview(decode(reader, rows[:COUNT].cpu()), folder / FOLDER / f"{step:08d}")


def cut(folder: Path, after: int) -> None:
    """Forget the sheets of later steps, which are made again."""
    for step, sheet in sheets(folder).items():
        if step > after:
            sheet.unlink(missing_ok=True)


def sheets(folder: Path) -> dict[int, Path]:
    """Step to sheet, the first first."""
    there = {int(file.stem): file for file in (folder / FOLDER).glob("*") if file.stem.isdigit()}
    return dict(sorted(there.items()))
