"""Raw items with provenance: from sources into a few parquet shards.

`python -m genwright.collect RECIPE` is the data stage: it reads `data/RECIPE/collect.json`, writes `data/RECIPE/raw`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from genwright import shards, stage
from genwright.durable import replacing, write_json
from genwright.errors import DataError
from genwright.forgotten import digests
from genwright.item import Item
from genwright.modality import modalities
from genwright.records import Part, Record
from genwright.shards import ITEM, Shards
from genwright.source import Source, sources
from genwright.workspace import Workspace

if TYPE_CHECKING:
    from genwright.recipe import Recipe


class CollectSpec(Record):
    """What is collected: equal specs give equal raw items. `states` holds what each source said of itself."""

    recipe: str
    content: Part
    condition: Part | None
    sources: list[Part]
    states: list[str]
    forgotten: list[str] = Field(default_factory=list, description="content hashes of items that are left out")


def specify(recipe: Recipe, workspace: Workspace) -> CollectSpec:
    """The spec of a recipe as its sources are now. Raises DataError when a source cannot be read."""
    return CollectSpec(
        recipe=recipe.name,
        content=recipe.content,
        condition=recipe.condition,
        sources=recipe.sources,
        states=[_open(part, recipe.content, workspace).state() for part in recipe.sources],
        forgotten=digests(workspace),
    )


def items(recipe: Recipe, workspace: Workspace) -> Iterator[Item]:
    """The items of a recipe's sources as they are now, streamed; nothing is written. Raises DataError."""
    left_out = set(digests(workspace))
    for part in recipe.sources:
        yield from (i for i in _open(part, recipe.content, workspace).items() if i.digest not in left_out)


def collect(spec: CollectSpec, workspace: Workspace, out: Path) -> None:
    """Write `items-NNNN.parquet` and `collected.json` into `out`, whole or not at all; memory stays flat.

    Items with equal bytes are all written. Raises DataError when a source is empty, or changed since the spec was made.
    """
    with replacing(out) as folder:
        report = []
        with Shards(folder, "items", ITEM) as written:
            for part, state in zip(spec.sources, spec.states, strict=True):
                source = _open(part, spec.content, workspace)
                report.append({"part": part.model_dump(mode="json"), **_gather(part, source, written, set(spec.forgotten))})
                if source.state() != state:
                    raise DataError(f"The source {part.kind!r} changed while it was collected.", do="run the command again")
        totals = {key: sum(row[key] for row in report) for key in ("items", "bytes")}
        write_json(folder / "collected.json", {**totals, "sources": report})


def read_items(folder: Path) -> Iterator[Item]:
    """The collected items in the order they were written, a few at a time. Raises DataError when there are none."""
    if not shards.count(folder, "items"):
        raise DataError(f"There are no collected items in {folder}.", do="collect them first: `genwright run RECIPE`")
    for row in shards.read(folder, "items"):
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


def _gather(part: Part, source: Source, out: Shards, left_out: Set[str]) -> dict[str, Any]:
    """Write the items of one source but those left out; its counts and what it skipped."""
    items = size = 0
    for item in source.items():
        if item.digest in left_out:
            continue
        out.add({column: getattr(item, column) for column in ITEM.names})
        items, size = items + 1, size + len(item.data)
    skipped = dict(sorted(source.skipped.items()))
    if not items:
        raise DataError(f"The source {part.kind!r} has no items.", got=part.options, do="correct its options in the recipe")
    return {"items": items, "bytes": size, "skipped": skipped}


def _stage(recipe: str, workspace: Workspace) -> None:
    spec = stage.spec_of(CollectSpec, workspace.data / recipe / "collect.json", recipe)
    collect(spec, workspace, workspace.raw(recipe))


if __name__ == "__main__":
    sys.exit(stage.run(sys.argv[1:], _stage))
