"""Made data sets, encoded without collecting or cleaning, so that tests of the library cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from genwright.core import stored
from genwright.core.record import Part
from genwright.data import shards
from genwright.data.dataset import Dataset
from genwright.data.encode import Recorded, Writer, learn
from genwright.data.item import Item
from genwright.data.modalities.base import build
from genwright.data.records import CONTENTS, DatasetContents, Side
from genwright.data.shards import Shards
from genwright.data.view import View
from genwright.models import cost
from genwright.models.records import Candidate, Plan

SIDES: tuple[Side, ...] = ("train", "validation", "test")
COUNTS: dict[Side, int] = {"train": 96, "validation": 32, "test": 32}
KINDS = 4  # classes of labels


def dataset(
    folder: Path,
    content: Part,
    counts: Mapping[Side, int] = COUNTS,
    *,
    view: View | None = None,
    lack: Mapping[str, int] | None = None,
    **given: Part,
) -> Dataset:
    """A data set of the modality's own fixtures, with those of every given going round beside them. Every `lack[NAME]`-th
    item lacks that column."""
    columns = {"content": content, **dict(sorted(given.items()))}
    folder.mkdir(parents=True)
    files = _files(columns, sum(counts.values()))
    sides = [side for side in SIDES for _ in range(counts[side])]
    with Shards(folder, "items", shards.schema(columns, "side")) as out:
        for place, side in enumerate(sides):
            here = {n: data[place] for n, data in files.items() if n == "content" or not _lacks(lack, n, place)}
            out.add(shards.row(Item(f"{place:04d}", here, "made", "CC0-1.0", "2026-01-01T00:00:00+00:00"), side=side))
    recorded = {name: Recorded(build(part), optional=name in (lack or {})) for name, part in columns.items()}
    for name, column in recorded.items():
        learn(folder, name, column.modality)
    written = Writer(folder, recorded)
    written.write()
    contents = DatasetContents(
        content="content",
        columns=written.contents(),
        collected=len(sides),
        splits=dict(counts),
        dropped={},
        bytes={side: written.bytes[side] for side in SIDES},
        licences=dict(written.licences),
        sources=dict(written.sources),
    )
    stored.write(folder / CONTENTS, contents)
    return Dataset(folder, view)


def _files(columns: Mapping[str, Part], n: int) -> dict[str, list[bytes]]:
    """The bytes of each column, an item a row: of labels a few classes, many times each."""
    found = {}
    for name, part in columns.items():
        kind = type(build(part))
        distinct = kind.fixture(KINDS if part.kind == "label" else n)
        found[name] = [distinct[place % len(distinct)] for place in range(n)]
    return found


def _lacks(lack: Mapping[str, int] | None, name: str, place: int) -> bool:
    every = (lack or {}).get(name, 0)
    return bool(every) and place % every == 0


def pictures(folder: Path, **counts: int) -> Dataset:
    """Labelled 8x8 pictures."""
    image = Part(kind="image", options={"size": [8, 8], "channels": 1})
    return dataset(folder, image, {**COUNTS, **counts}, condition=Part(kind="label"))  # type: ignore[dict-item]


def plan(data: Dataset, family: str, *, steps: int = 12, dial: float = 0.125, **fields: object) -> Plan:
    """A plan for the smallest model of a family; one that removes noise does so in few steps."""
    from genwright.evaluation.metrics.base import ranked
    from genwright.models.architectures.base import DenoiseOptions, architectures

    kind = architectures.get(family)
    config = kind.sized(data.signature, dial).model_dump(mode="json")
    price = cost.estimate(family, config, data.signature, 16)
    given = {
        "candidate": Candidate(family=family, dial=dial, config=config, cost=price, batch_size=16),
        "steps": steps,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "evaluate_every": 4,
        "samples": 32,
        "measure": ranked(data.signature).name,
        "sampling": {"steps": 4} if issubclass(kind.Options, DenoiseOptions) else {},
        **fields,
    }
    return Plan.model_validate(given)
