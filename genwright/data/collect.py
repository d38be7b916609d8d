"""Raw items with provenance: from sources into a few parquet shards.

`python -m genwright.data.collect RECIPE` is the data stage: it reads `data/RECIPE/collect.json`, writes `data/RECIPE/raw`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from pydantic import Field

from genwright.core.durable import replacing, write_json
from genwright.core.errors import DataError
from genwright.core.folder_hash import Objects
from genwright.core.record import Part
from genwright.core.stored import Stored
from genwright.core.workspace import Workspace
from genwright.data import shards, stage
from genwright.data.forgotten import digests
from genwright.data.item import Item, content_first
from genwright.data.modalities.base import modalities
from genwright.data.shards import Shards
from genwright.data.sources.base import Source, sources


class CollectSpec(Stored):
    """What is collected: equal specs give equal raw items. `states` holds what each source said of itself."""

    form = "collect"
    mend = "move it aside and run the recipe again; items that were retained are then lost"
    signed = False  # DVC collects anew when its bytes change

    recipe: str
    content: str = Field("content", description="the column that an item is known by")
    columns: dict[str, Part] = Field(description="all recorded columns")
    sources: list[Part]
    states: list[str]
    forgotten: list[str] = Field(default_factory=list, description="content hashes of items that are left out")
    retained: str | None = Field(None, description="hash of the raw folder whose items stay though their source lost them")

    @property
    def recorded(self) -> dict[str, Part]:
        """The columns, the content first."""
        return content_first(self.columns, self.content)


def states(parts: Sequence[Part], columns: Mapping[str, Part], workspace: Workspace) -> list[str]:
    """What each source of `columns` says of itself now. Raises DataError when one cannot be read."""
    return [_open(part, columns, workspace).state() for part in parts]


def retaining(spec: CollectSpec, before: CollectSpec | None, raw: str | None) -> CollectSpec:
    """The spec that also keeps the items of the raw folder `raw`, made by the spec `before`; that one again where nothing
    else has changed, so that collecting twice is collecting once."""
    if before is None or raw is None:
        return spec
    same = before.model_copy(update={"retained": None}) == spec
    return spec.model_copy(update={"retained": before.retained if same else raw})


def items(parts: Sequence[Part], columns: Mapping[str, Part], workspace: Workspace) -> Iterator[Item]:
    """The items of sources of `columns` as they are now, streamed, without those to be forgotten; nothing is written.
    Raises DataError."""
    left_out = set(digests(workspace))
    for part in parts:
        for item in _open(part, columns, workspace).items():
            assigned = item.assigned(columns)
            if left_out.isdisjoint(assigned.digests.values()):
                yield assigned


def collect(spec: CollectSpec, workspace: Workspace, out: Path) -> None:
    """Write `items-NNNN.parquet` and `collected.json` into `out`, whole or not at all; memory stays flat.

    Items with equal bytes are all written. Raises DataError when a source is empty, or changed since the spec was made.
    """
    with replacing(out) as folder:
        report = []
        met: set[str] | None = None if spec.retained is None else set()
        with Shards(folder, "items", shards.schema(spec.recorded)) as written:
            for part, state in zip(spec.sources, spec.states, strict=True):
                source = _open(part, spec.recorded, workspace)
                report.append({"part": part.model_dump(mode="json"), **_gather(spec, part, source, written, met)})
                if source.state() != state:
                    raise DataError(f"The source {part.kind!r} changed while it was collected.", do="run the command again")
            if met is not None:
                report.append({"part": {"kind": "retained"}, **_retain(spec, workspace, written, met)})
        totals = {key: sum(row[key] for row in report) for key in ("items", "bytes")}
        write_json(folder / "collected.json", {**totals, "sources": report})


def _open(part: Part, columns: Mapping[str, Part], workspace: Workspace) -> Source:
    kind = sources.get(part.kind)
    return kind(
        kind.Options.model_validate(part.options),
        base=workspace.root,
        cache=workspace.state / "sources",
        suffixes=modalities.get(next(iter(columns.values())).kind).suffixes,
    )


def _gather(spec: CollectSpec, part: Part, source: Source, out: Shards, met: set[str] | None) -> dict[str, Any]:
    """Write the items of one source but those forgotten; its counts and what it skipped. `met`, if any, gains their hashes."""
    left_out = set(spec.forgotten)
    items = size = 0
    for given in source.items():
        item = given.assigned(spec.recorded)
        if not left_out.isdisjoint(item.digests.values()):
            continue
        if met is not None:
            met.add(identity(item.digests.values()))
        out.add(shards.row(item))
        items, size = items + 1, size + len(item.data)
    skipped = dict(sorted(source.skipped.items()))
    if not items:
        raise DataError(f"The source {part.kind!r} has no items.", got=part.options, do="correct its options in the recipe")
    return {"items": items, "bytes": size, "skipped": skipped}


def _retain(spec: CollectSpec, workspace: Workspace, out: Shards, met: Set[str]) -> dict[str, Any]:
    """Write the earlier items that no source has any more; their counts. Raises DataError when they are not in the cache."""
    assert spec.retained is not None
    cache = Objects(workspace.state / "cache" / "files" / "md5")
    if not cache.whole(spec.retained):
        raise DataError(
            "The earlier items that are to be retained are not in the cache, or altered.",
            got=spec.retained,
            do=f"`genwright data restore {spec.recipe} VERSION` fetches a version, or set `retain: false`",
        )
    listing = cache.listing(spec.retained)
    assert listing is not None
    count = size = 0
    for path, oid in sorted(listing.files.items()):
        for row in shards.rows(cache.path(oid)) if path.startswith("items-") else ():
            if identity(row["digests"]) not in met and not set(row["digests"]) & set(spec.forgotten):
                out.add(row)
                count, size = count + 1, size + len(shards.item(row).data)
    return {"items": count, "bytes": size, "skipped": {}}


def identity(digests: Iterable[str]) -> str:
    """What two items share that are equal in all their columns."""
    return " ".join(digests)


def _stage(recipe: str, workspace: Workspace) -> None:
    spec = stage.spec_of(CollectSpec, workspace.data / recipe / "collect.json", recipe)
    collect(spec, workspace, workspace.raw(recipe))


if __name__ == "__main__":
    sys.exit(stage.run(sys.argv[1:], _stage))
