"""What the averaged weights make while a model trains: samples of the same few seeds, on a sheet a held-out measure.

They are the first that the measure drew, so they cost no more than decoding where they are codes; the sheets can be deleted at
any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from genwright.data.dataset import Dataset, Kept, Making
from genwright.data.modalities.base import Modality, decode
from genwright.data.view import main_of
from genwright.models import bundle
from genwright.models.architectures.base import encoder
from genwright.models.bundle import column_of

COUNT = 8
FOLDER = "shown"


@dataclass(frozen=True)
class Seen:
    """How a person sees what a model makes: codes by what they are codes of, got `back` one way after another."""

    reader: Modality
    back: tuple[Callable[[Tensor], Tensor], ...] = ()

    def keep(self, folder: Path, step: int, rows: Tensor) -> None:
        """The sheet of a step, in the folder of a training."""
        rows = rows[:COUNT].cpu()
        for way in self.back:
            rows = way(rows)
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        self.reader.preview(decode(self.reader, rows), folder / FOLDER / f"{step:08d}")


def seen(dataset: Dataset, uses: Mapping[str, Path]) -> Seen | None:
    """How one sees what is made of this data; `uses` is where the models lie that it is made over. None where it is no file by
    itself, nor a code with a way back to one."""
    column, ways = dataset.view.makes, list[Callable[[Tensor], Tensor]]()
    while column is not None:
        reader = column_of(column, dataset.view, dataset.modalities, dataset.shape(column))
        if reader is not None:
            return Seen(reader, tuple(ways))
        made = _coded(column, dataset, uses)
        column = None if made is None else made.of[0]
        ways += [] if made is None else [made.derivation.back]
    return None


def _coded(column: str, dataset: Dataset, uses: Mapping[str, Path]) -> Making | None:
    """What makes the codes in a column, where there is a way back."""
    main = main_of(column, dataset.view.derived)
    derived = None if main is None else dataset.view.derived[main]
    by = "" if derived is None else str(derived.part.options.get("by"))
    if main is None or derived is None or by not in uses:
        return None
    found = Making(main, derived, [dataset.shape(of) for of in derived.of], encoder(bundle.load(uses[by]).model))
    if not found.invertible or list(found.shapes) != [column]:
        return None
    known = dataset.derived[main]
    if isinstance(known, Kept):
        found.derivation.load(known.state)
    return found


def cut(folder: Path, after: int) -> None:
    """Forget the sheets of later steps, which are made again."""
    for step, sheet in sheets(folder).items():
        if step > after:
            sheet.unlink(missing_ok=True)


def sheets(folder: Path) -> dict[int, Path]:
    """Step to sheet, the first first."""
    there = {int(file.stem): file for file in (folder / FOLDER).glob("*") if file.stem.isdigit()}
    return dict(sorted(there.items()))
