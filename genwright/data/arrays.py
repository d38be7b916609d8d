"""Arrays on disk that grow row by row, for data sets larger than memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
    """One role of one split: a row an item, or all items' tokens end to end with their offsets in a file beside."""

    def __init__(self, folder: Path, stem: str, first: NDArray[Any], *, ragged: bool) -> None:
        self._array = Growing(folder / f"{stem}.npy", first.dtype, () if ragged else first.shape)
        self._offsets = Growing(folder / f"{stem}.offsets.npy", np.int64) if ragged else None
        if self._offsets is not None:
            self._offsets.append(np.zeros(1, dtype=np.int64))

    @property
    def size(self) -> int:
        """Rows, or tokens."""
        return self._array.rows

    def append(self, row: NDArray[Any]) -> None:
        if self._offsets is None:
            self._array.append(row[None])
            return
        self._array.append(row)
        self._offsets.append(np.array([self._array.rows], dtype=np.int64))

    def close(self) -> None:
        self._array.close()
        if self._offsets is not None:
            self._offsets.close()
