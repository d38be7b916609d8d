"""Rows in a few large parquet files: written and read a piece at a time, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from genwright.data.item import Item

COLUMN = "column."
"""What the name of an item's column begins with in a shard."""

TOLD = ("name", "source", "licence", "collected_at", "group", "given_side")
"""What is said of an item besides its columns."""

BATCH = 64  # rows that are read at a time
GROUP_BYTES, GROUP_ROWS, SHARD_BYTES = 32 * 2**20, 8192, 512 * 2**20
"""Bytes and rows held in memory before they are written, and bytes of a shard before the next one begins."""


def schema(columns: Iterable[str], *more: str) -> pa.Schema:
    """The fields of items with these columns, the content first, and of what else is said of each. `digest` is the hash of
    the content, `digests` those of all columns an item has."""
    content, *given = columns
    told = [*TOLD, *more]
    return pa.schema(
        [
            pa.field("digest", pa.string(), nullable=False),
            pa.field("digests", pa.list_(pa.string()), nullable=False),
            pa.field(COLUMN + content, pa.large_binary(), nullable=False),
            *(pa.field(COLUMN + name, pa.large_binary()) for name in given),
            *(pa.field(name, pa.string(), nullable=False) for name in told),
        ]
    )


def row(item: Item, **more: str) -> dict[str, Any]:
    """An item as a row."""
    return {
        "digest": item.digest,
        "digests": list(item.digests.values()),
        **{COLUMN + name: data for name, data in item.columns.items()},
        **{name: getattr(item, name) for name in TOLD},
        **more,
    }


def item(row: dict[str, Any]) -> Item:
    """A row as an item."""
    columns = {key.removeprefix(COLUMN): data for key, data in row.items() if key.startswith(COLUMN) and data is not None}
    return Item(columns=columns, **{name: row.get(name, "") for name in TOLD})  # earlier shards say nothing of groups


class Shards:
    """Writes `STEM-0000.parquet`, `STEM-0001.parquet`, ... into a folder; none when no row is added. A context manager."""

    def __init__(self, folder: Path, stem: str, schema: pa.Schema) -> None:
        self._folder, self._stem, self._schema = folder, stem, schema
        self._rows: list[dict[str, Any]] = []
        self._bytes = self._shard_bytes = self._count = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Shards:
        return self

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            self._flush()
        self._close()

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self._bytes += sum(len(value) for value in row.values() if isinstance(value, bytes))
        if self._bytes >= GROUP_BYTES or len(self._rows) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            path = self._folder / f"{self._stem}-{self._count:04d}.parquet"
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
            self._count += 1
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._shard_bytes += self._bytes
        self._rows, self._bytes = [], 0
        if self._shard_bytes >= SHARD_BYTES:
            self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._shard_bytes = None, 0


def read(folder: Path, stem: str, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of `STEM-*.parquet` in the order they were written, a few at a time."""
    for some in batches(folder, stem, columns):
        yield from some


def rows(shard: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of one parquet file, a few at a time."""
    for batch in _batches(shard, columns):
        yield from batch.to_pylist()


def batches(
    folder: Path, stem: str, columns: list[str] | None = None, wanted: NDArray[np.bool_] | None = None
) -> Iterator[list[dict[str, Any]]]:
    """The rows of `STEM-*.parquet`, some at a time; of all their rows those that are `wanted`, the others unread."""
    start = 0
    for shard in sorted(folder.glob(f"{stem}-*.parquet")):
        for batch in _batches(shard, columns):
            mask = None if wanted is None else wanted[start : start + batch.num_rows]
            start += batch.num_rows
            if mask is None or mask.any():
                yield (batch if mask is None else batch.filter(pa.array(mask))).to_pylist()


def _batches(shard: Path, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """Of one group of rows after the other, which is bounded in bytes."""
    with pq.ParquetFile(shard) as file:
        for group in range(file.num_row_groups):
            yield from file.iter_batches(batch_size=BATCH, row_groups=[group], columns=columns)


def size(folder: Path, stem: str, column: str) -> int:
    """About how many bytes a column holds, without reading it."""
    found = 0
    for shard in folder.glob(f"{stem}-*.parquet"):
        about = pq.read_metadata(shard)
        groups = (about.row_group(number) for number in range(about.num_row_groups))
        leaf = next(n for n in range(about.num_columns) if about.schema.column(n).path == column)
        found += sum(group.column(leaf).total_uncompressed_size for group in groups)
    return found


def count(folder: Path, stem: str) -> int:
    """How many rows there are."""
    return sum(pq.read_metadata(shard).num_rows for shard in folder.glob(f"{stem}-*.parquet"))
