"""Raw items with provenance: from sources into a few parquet shards.

`python -m genwright.collect RECIPE` is the data stage: it reads `data/RECIPE/collect.json`, writes `data/RECIPE/raw`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from genwright.durable import sync, write_json
from genwright.errors import DataError, GenwrightError
from genwright.item import Item
from genwright.modality import modalities
from genwright.records import Part, Record
from genwright.source import Source, sources
from genwright.workspace import Workspace

if TYPE_CHECKING:
    from genwright.recipe import Recipe

SCHEMA = pa.schema(
    [
        pa.field("digest", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("data", pa.large_binary(), nullable=False),
        pa.field("condition", pa.large_binary()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
        pa.field("collected_at", pa.string(), nullable=False),
    ]
)
GROUP_BYTES, GROUP_ITEMS, SHARD_BYTES = 32 * 2**20, 8192, 512 * 2**20
"""Bytes and items held in memory before they are written, and bytes of a shard before the next one begins."""


class CollectSpec(Record):
    """What is collected: equal specs give equal raw items. `states` holds what each source said of itself."""

    recipe: str
    content: Part
    condition: Part | None
    sources: list[Part]
    states: list[str]


def specify(recipe: Recipe, workspace: Workspace) -> CollectSpec:
    """The spec of a recipe as its sources are now. Raises DataError when a source cannot be read."""
    return CollectSpec(
        recipe=recipe.name,
        content=recipe.content,
        condition=recipe.condition,
        sources=recipe.sources,
        states=[_open(part, recipe.content, workspace).state() for part in recipe.sources],
    )


def collect(spec: CollectSpec, workspace: Workspace, out: Path) -> None:
    """Write `items-NNNN.parquet` and `collected.json` into `out`, whole or not at all; memory stays flat.

    Items with equal bytes are all written. Raises DataError when a source is empty, or changed since the spec was made.
    """
    beside = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        report = []
        with _Shards(beside) as shards:
            for part, state in zip(spec.sources, spec.states, strict=True):
                source = _open(part, spec.content, workspace)
                report.append({"part": part.model_dump(mode="json"), **_gather(part, source, shards)})
                if source.state() != state:
                    raise DataError(f"The source {part.kind!r} changed while it was collected.", do="run the command again")
        totals = {key: sum(row[key] for row in report) for key in ("items", "bytes")}
        write_json(beside / "collected.json", {**totals, "sources": report})
        for file in beside.iterdir():
            sync(file)
        shutil.rmtree(out, ignore_errors=True)
        beside.replace(out)
        sync(out.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def read_items(folder: Path) -> Iterator[Item]:
    """The collected items in the order they were written, a few at a time. Raises DataError when there are none."""
    shards = sorted(folder.glob("items-*.parquet"))
    if not shards:
        raise DataError(f"There are no collected items in {folder}.", do="collect them first: `genwright run RECIPE`")
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            for batch in file.iter_batches(batch_size=64):
                for row in batch.to_pylist():
                    del row["digest"]
                    yield Item(**row)


def _open(part: Part, content: Part, workspace: Workspace) -> Source:
    kind = sources.get(part.kind)
    return kind(
        kind.Options.model_validate(part.options),
        base=workspace.root,
        cache=workspace.state / "sources",
        suffixes=modalities.get(content.kind).suffixes,
    )


def _gather(part: Part, source: Source, shards: _Shards) -> dict[str, Any]:
    """Write the items of one source; its counts and what it skipped."""
    items = size = 0
    for item in source.items():
        shards.add(item)
        items, size = items + 1, size + len(item.data)
    skipped = dict(sorted(source.skipped.items()))
    if not items:
        raise DataError(f"The source {part.kind!r} has no items.", got=part.options, do="correct its options in the recipe")
    return {"items": items, "bytes": size, "skipped": skipped}


class _Shards:
    """Parquet shards written a row group at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[Item] = []
        self._bytes = self._shard_bytes = self._count = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            self._flush()
        self._close()

    def add(self, item: Item) -> None:
        self._rows.append(item)
        self._bytes += len(item.data) + len(item.condition or b"")
        if self._bytes >= GROUP_BYTES or len(self._rows) >= GROUP_ITEMS:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._folder / f"items-{self._count:04d}.parquet", SCHEMA, compression="zstd")
            self._count += 1
        columns = {name: [getattr(item, name) for item in self._rows] for name in SCHEMA.names}
        self._writer.write_table(pa.table(columns, schema=SCHEMA))
        self._shard_bytes += self._bytes
        self._rows, self._bytes = [], 0
        if self._shard_bytes >= SHARD_BYTES:
            self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._shard_bytes = None, 0


def main(arguments: Iterable[str]) -> int:
    """Run the stage for the recipe named; 1 and the message on stderr when it fails."""
    (recipe,) = arguments
    workspace = Workspace()
    try:
        written = workspace.data / recipe / "collect.json"
        if not written.is_file():
            raise DataError(f"There is no {written}.", do=f"`genwright run {recipe}` writes it and runs this stage")
        spec = CollectSpec.model_validate_json(written.read_text())
        collect(spec, workspace, workspace.raw(recipe))
    except GenwrightError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
