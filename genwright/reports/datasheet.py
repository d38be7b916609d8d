"""A page about a data version: what is in it, how it lies, what was dropped and why (after Gebru et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from genwright.core.durable import write_text
from genwright.core.errors import Unreadable
from genwright.core.shapes import Label, Signal
from genwright.data import quarantine, shards
from genwright.data.columns import Integers
from genwright.data.dataset import Dataset
from genwright.data.feed import Side
from genwright.data.modalities.base import Modality
from genwright.data.quarantine import Quarantined
from genwright.data.records import DatasetContents
from genwright.data.view import View
from genwright.reports.chart import COLOURS, bars, scatter
from genwright.reports.gallery import SHOWN_PICTURES, SHOWN_TEXTS, Shown, item
from genwright.reports.page import environment

MAPPED = 1500  # items on the map
TERMS = 20_000  # features of texts, before they are reduced to two
REST = OTHERS, NONE = "other labels", "no label"
LISTED = 2000  # dropped items that are named
CLUSTERS, ALIKE = 16, 7  # items that were met again and again, and copies of each that are shown


@dataclass(frozen=True)
class Datasheet:
    """`sizes` are bytes of contents, `place` says where items lie beside each other, `dropped` are all of them by rule,
    `clusters` those that were taken for another: how many, and that one before some of them."""

    name: str
    digest: str
    contents: DatasetContents
    shown: list[Shown]
    sizes: Markup
    labels: Markup
    place: Markup
    dropped: dict[str, list[Quarantined]]
    clusters: list[tuple[int, list[Shown]]]


def gather(name: str, digest: str, folder: Path) -> Datasheet:
    """Of the data version that lies in a folder."""
    dataset = Dataset(folder, View(makes=None))
    contents = dataset.contents
    modality = dataset.modalities[contents.content]
    dropped: dict[str, list[Quarantined]] = {}
    for one in islice(quarantine.quarantined(folder), LISTED):
        dropped.setdefault(one.rule, []).append(one)
    labels = next((column.label_counts for column in contents.columns.values() if column.label_counts), None) or {}
    sizes = np.concatenate([np.asarray(dataset.side(side).bytes) for side in ("train", "validation", "test")])
    return Datasheet(
        name=name,
        digest=digest,
        contents=contents,
        shown=list(_shown(folder, contents, modality)),
        sizes=bars(_doubling(sizes)),
        labels=bars([(label, n) for label, n in sorted(labels.items(), key=lambda one: -one[1])[:40]]),
        place=_map(folder, dataset),
        dropped=dict(sorted(dropped.items())),
        clusters=list(_clusters(folder, contents, modality)),
    )


def write(sheet: Datasheet, path: Path) -> Path:
    """The page, with everything inside it."""
    write_text(path, environment().get_template("datasheet.html.j2").render(sheet=sheet, contents=sheet.contents))
    return path


def _shown(folder: Path, contents: DatasetContents, modality: Modality) -> Iterator[Shown]:
    """Some items as they were collected, spread over the data, with what else they have on one line."""
    most = SHOWN_PICTURES if isinstance(contents.kind.shape, Signal) else SHOWN_TEXTS
    every = max(1, sum(contents.splits.values()) // most)
    for row in islice(shards.read(folder, "items"), 0, every * most, every):
        one = shards.item(row)
        said = [data.decode("utf-8", "replace") for data in list(one.columns.values())[1:] if b"\0" not in data]
        yield item(modality, modality.read(one.data), " ".join("; ".join(said).split())[:120])


def _clusters(folder: Path, contents: DatasetContents, modality: Modality) -> Iterator[tuple[int, list[Shown]]]:
    """The item that was kept, and copies of it; what cannot be read any more is passed over."""
    for count, looked in quarantine.clusters(folder, contents.content, CLUSTERS, ALIKE):
        told = [(looked[0].item.twin or "", looked[0].twin), *((one.item.name, one.content) for one in looked)]
        shown = []
        for name, data in told:
            with suppress(Unreadable):
                if data is not None:
                    shown.append(item(modality, modality.read(data), name))
        if shown:
            yield count, shown


def _doubling(sizes: NDArray[Any]) -> list[tuple[str, int]]:
    """Bytes of contents in ranges that double."""
    powers = np.floor(np.log2(np.maximum(sizes, 1))).astype(int)
    return [(f"from {2**power:,} bytes", int((powers == power).sum())) for power in range(powers.min(), powers.max() + 1)]


def _map(folder: Path, dataset: Dataset) -> Markup:
    """Items by their two principal components: of pictures' values, of texts' words. Coloured by the commonest labels, where
    there are labels, else by side of the split."""
    contents = dataset.contents
    kept = {side: dataset.side(side) for side in ("train", "validation", "test")}
    share = min(1.0, MAPPED / sum(map(len, kept.values())))
    rows = {side: one.subset(max(1, round(share * len(one)))) for side, one in kept.items() if len(one)}
    if isinstance(contents.kind.shape, Signal):
        values = np.concatenate([_values(kept[side], contents.content, chosen) for side, chosen in rows.items()])
    else:
        texts = _texts(folder, {digest for side, chosen in rows.items() for digest in kept[side].digests[chosen, 0].tolist()})
        told = [texts[digest] for side, chosen in rows.items() for digest in kept[side].digests[chosen, 0].tolist()]
        values = _worded(told)
    if sum(map(len, rows.values())) < 3:
        return Markup()
    points = _flattened(values)
    return scatter(_grouped(points, _groups(dataset, rows)), "two principal components")


def _values(side: Side, column: str, rows: Integers) -> NDArray[Any]:
    return side.table(rows)[column].value.flatten(1).float().numpy()


def _texts(folder: Path, wanted: set[bytes]) -> dict[bytes, str]:
    """Contents by their hash, as text."""
    found: dict[bytes, str] = {}
    for row in shards.read(folder, "items"):
        if (digest := row["digest"].encode()) in wanted:
            found[digest] = shards.item(row).data.decode("utf-8", "replace")
    return found


def _worded(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(max_features=TERMS, sublinear_tf=True, token_pattern=r"(?u)\S+").fit_transform(texts)


def _flattened(values: Any) -> NDArray[Any]:
    from sklearn.decomposition import PCA, TruncatedSVD

    if isinstance(values, np.ndarray):
        return np.asarray(PCA(2, random_state=0).fit_transform(values))
    return np.asarray(TruncatedSVD(2, random_state=0).fit_transform(values))


def _groups(dataset: Dataset, rows: dict[str, Integers]) -> list[str]:
    """The label of each item, where it is one of the commonest; or its side, where there are no labels."""
    columns = dataset.contents.columns
    name = next((n for n, column in columns.items() if isinstance(column.shape, Label) and column.labels), None)
    if name is None:
        return [side for side, chosen in rows.items() for _ in chosen]
    labels, counts = columns[name].labels or [], columns[name].label_counts or {}
    own = set(sorted(labels, key=lambda label: -counts[label])[: COLOURS - (1 if len(labels) < COLOURS else 2)])
    found: list[str] = []
    for side, chosen in rows.items():
        given = dataset.side(side).table(chosen)[name]
        there = zip(given.value.tolist(), given.present.tolist(), strict=True)
        said = [labels[place] if present else NONE for place, present in there]
        found += [label if label in own or label == NONE else OTHERS for label in said]
    return found


def _grouped(points: NDArray[Any], groups: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for (x, y), group in zip(points.tolist(), groups, strict=True):
        found.setdefault(group, []).append((x, y))
    return dict(sorted(found.items(), key=lambda one: (one[0] in REST, -len(one[1]))))
