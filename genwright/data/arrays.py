"""Arrays on disk that grow row by row, for data sets larger than memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core.shapes import Label, Shape, Tokens


class Growing:
    """An `.npy` file rows are appended to. numpy leaves room in the header for the number of rows to grow in place."""

    def __init__(self, path: Path, dtype: Any, dims: tuple[int, ...] = ()) -> None:
        self.dtype, self.dims, self.rows = np.dtype(dtype), dims, 0
        self._file = path.open("wb")
        self._start = self._header()

    def append(self, rows: NDArray[Any]) -> None:
        """Append (n, *dims) rows."""
        if rows.shape[1:] != self.dims:
            raise ValueError(f"rows of {rows.shape[1:]} do not fit an array of {self.dims}")
        self._file.write(np.ascontiguousarray(rows, dtype=self.dtype).tobytes())
        self.rows += len(rows)

    def close(self) -> None:
        self._file.seek(0)
        if self._header() != self._start:
            raise ValueError("the header of an array outgrew its place")
        self._file.close()

    def _header(self) -> int:
        about = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.rows, *self.dims)}
        np.lib.format.write_array_header_1_0(self._file, about)
        return self._file.tell()


class ColumnWriter:
    """One column of one side: a row an item, or all items' tokens end to end with their offsets in a file beside; and, where
    any item lacks it, which ones have it.

    The array begins with the first item that has the column, whose type the file takes; rows before it are written then.
    """

    def __init__(self, folder: Path, stem: str, shape: Shape) -> None:
        self._folder, self._stem, self._shape = folder, stem, shape
        self._array: Growing | None = None
        self._offsets = Growing(folder / f"{stem}.offsets.npy", np.int64) if isinstance(shape, Tokens) else None
        if self._offsets is not None:
            self._offsets.append(np.zeros(1, dtype=np.int64))
        self._present: list[bool] = []

    def append(self, row: NDArray[Any] | None) -> None:
        """The next item's array; None where it lacks the column."""
        self._present.append(row is not None)
        if self._array is None:
            if row is None and self._offsets is None:
                return
            self._begin(row)
        assert self._array is not None
        if self._offsets is not None:
            if row is not None:
                self._array.append(row)
            self._offsets.append(np.array([self._array.rows], dtype=np.int64))
        else:
            self._array.append(np.zeros((1, *self._array.dims)) if row is None else row[None])

    def _begin(self, row: NDArray[Any] | None) -> None:
        dims = () if isinstance(self._shape, Tokens | Label) else self._shape.dims
        usual = {Tokens: np.uint32, Label: np.int64}.get(type(self._shape), np.float32)
        self._array = Growing(self._folder / f"{self._stem}.npy", usual if row is None else row.dtype, dims)
        if self._offsets is None and (before := len(self._present) - 1) > 0:
            self._array.append(np.zeros((before, *dims)))

    def close(self) -> None:
        if self._array is None:
            self._begin(None)
            if self._offsets is None and self._present:
                assert self._array is not None
                self._array.append(np.zeros((1, *self._array.dims)))
        assert self._array is not None
        self._array.close()
        if self._offsets is not None:
            self._offsets.close()
        if not all(self._present):
            np.save(self._folder / f"{self._stem}.present.npy", np.array(self._present, dtype=np.bool_))
