"""What a person is shown of a model: its samples as the evaluation drew them, beside the real items nearest to them."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genwright.core.shapes import Signal
from genwright.data.columns import Column
from genwright.data.dataset import Dataset
from genwright.data.modalities.base import Modality, caption, decode, words
from genwright.evaluation import kept
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.evaluate import evaluation_set, opened_evaluand, tasked
from genwright.evaluation.neighbours import nearest, pieces
from genwright.evaluation.records import EvaluationSpec, Measured
from genwright.models import composition
from genwright.models.architectures.base import SampleOptions

MOST = 128  # samples: the first ones of the evaluation
SHOWN_PICTURES, SHOWN_TEXTS, SHOWN_PAIRS = 40, 8, 12
EXCERPT = 1500  # characters of a text that are shown
AROUND = 300  # characters of a training text shown on either side of a copied passage


@dataclass(frozen=True)
class Shown:
    """One thing to look at: a file as data URI where a browser shows it, else a text in three parts, the middle marked."""

    uri: str = ""
    kind: str = "text"  # image, audio, video or text
    before: str = ""
    marked: str = ""
    after: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Pair:
    """A sample, or a passage of it, beside what it is compared with."""

    sample: Shown
    real: Shown
    note: str
    given: Shown | None = None  # what the sample answers; None where it was given nothing


@dataclass(frozen=True)
class Exhibits:
    """`values` are the drawn samples as the modality gives them."""

    content: Modality
    values: list[Any]
    captions: list[str]  # what each was asked to be
    samples: list[Shown]
    nearest: list[Pair]  # Signal: the samples closest to a training item, closest first
    answers: list[Pair]  # sequences that answer others: what was asked, what the model says, what stands in the data
    copied: Pair | None  # sequences: the longest passage that stands in a training item

    def preview(self, path: Path) -> Path:
        """All of them on one sheet; returns its path, whose suffix is the modality's choice."""
        return self.content.preview(self.values, path, self.captions)


def gather(
    folder: Path,
    dataset: Dataset,
    spec: EvaluationSpec,
    device: str,
    measures: dict[str, Measured],
    uses: Mapping[str, Path] | None = None,
    *,
    samples: Path | None = None,
) -> Exhibits:
    """Samples of what lies in `folder` at its first task, and what to compare them with: those that its evaluation kept in
    the file `samples`, else drawn like them. `uses`: where the versions lie that it pins."""
    count = min(MOST, spec.samples)
    subject = None if samples is None else _kept(samples, folder, dataset, spec, count)
    subject = subject or opened_evaluand(folder, dataset, uses or {}, count=count, seed=spec.seed, device=device)
    subject = tasked(subject, spec.tasks)[0][0]
    values, captions = decode(subject.content, subject.samples), _captions(subject, count)
    signal = isinstance(subject.signature.makes, Signal)
    asked = [name for name in subject.signature.given if name in dataset.modalities and name != subject.label]
    passage = measures["copied_passage"].detail if "copied_passage" in measures else {}
    shown = SHOWN_PICTURES if signal else SHOWN_TEXTS
    return Exhibits(
        content=subject.content,
        values=values,
        captions=captions,
        samples=[item(subject.content, v, c) for v, c in zip(values[:shown], captions, strict=False)],
        nearest=_nearest(subject, values) if signal else [],
        answers=_answers(subject, values, asked[0]) if asked else [],
        copied=_copied(subject, values, passage) if passage else None,
    )


def _kept(file: Path, folder: Path, dataset: Dataset, spec: EvaluationSpec, count: int) -> Evaluand | None:
    """The first samples of an evaluation, as though they were drawn; None where they were not kept."""
    found = kept.recall(file, composition.identity(folder), evaluation_set(dataset, spec))
    if found is None:
        return None
    return Evaluand(dataset.signature, dataset, "test", count, spec.seed, SampleOptions(), lambda asks: found[: len(asks)])


def item(modality: Modality, value: Any, caption: str = "") -> Shown:
    """A value as a browser can show it."""
    if isinstance(value, str):
        return Shown(before=_cut(value), caption=caption)
    media = mimetypes.guess_type(f"a{modality.suffix}")[0] or "application/octet-stream"
    data = base64.b64encode(modality.write(value)).decode("ascii")
    return Shown(uri=f"data:{media};base64,{data}", kind=media.split("/")[0], caption=caption)


def _captions(subject: Evaluand, count: int) -> list[str]:
    """What each sample was asked to be, as far as that is text or the name of a class."""
    known = subject.dataset.modalities
    return [caption(words(known.get(name), row) for name, row in ask.given.items()) for ask in subject.asks[:count]]


def _nearest(subject: Evaluand, values: list[Any]) -> list[Pair]:
    train = subject.dataset.train
    distances, rows = nearest(subject.samples.flatten(1), pieces(train), k=1)
    pairs = []
    for place in distances[:, 0].argsort()[:SHOWN_PAIRS].tolist():
        row, distance = int(rows[place, 0]), float(distances[place, 0])
        note = f"distance {distance:.3g} (sample {place + 1}, item {train.digests[row, 0].decode()[:8]})"
        real = subject.content.decode(train.contents(np.array([row]))[0].numpy())
        pairs.append(Pair(item(subject.content, values[place]), item(subject.content, real), note))
    return pairs


def _answers(subject: Evaluand, values: list[Any], asked: str) -> list[Pair]:
    side, reader = subject.held_out, subject.dataset.modalities[asked]
    makes = subject.dataset.view.makes
    assert makes is not None
    pairs = []
    for place, row in enumerate(side.subset(min(SHOWN_TEXTS, len(values))).tolist()):
        there = bool(side.columns[asked].present(np.array([row]))[0])
        given = item(reader, _stored(reader, side.columns[asked], row)) if there else None
        real = item(subject.content, _held_out(subject, makes, row))
        pairs.append(Pair(item(subject.content, values[place]), real, "", given))
    return pairs


def _held_out(subject: Evaluand, makes: str, row: int) -> Any:
    """The held-out item of a row: as it is stored, or in the shape in which it is made where that is derived."""
    side = subject.held_out
    if makes in side.columns:
        return _stored(subject.content, side.columns[makes], row)
    return subject.content.decode(side.contents(np.array([row]))[0].numpy())


def _stored(modality: Modality, column: Column, row: int) -> Any:
    """The value of a row of a data set, however long."""
    return modality.decode(column.rows(np.array([row]))[0].numpy() if column.offsets is None else column.tokens(row))


def _copied(subject: Evaluand, values: list[Any], passage: dict[str, Any]) -> Pair:
    """The sample where it was drawn here, else the passage alone, beside the training text it stands in."""
    text, row, place = passage["text"], int(passage["row"]), int(passage["sample"])
    texts = subject.dataset.train.texts
    assert texts is not None
    real = _stored(subject.content, texts, row)
    sample = values[place] if place < len(values) and text in values[place] else text
    note = f"{passage['characters']} characters in a row, sample {place + 1}, training item {passage['sha256'][:8]}"
    return Pair(_marked(sample, text), _marked(real, text), note)


def _marked(text: str, passage: str) -> Shown:
    """A text with the first place of a passage marked; cut where it is long."""
    before, found, after = text.partition(passage)
    if not found:
        return Shown(before=_cut(text))
    lead = f"... {before[-AROUND:]}" if len(before) > AROUND else before
    tail = f"{after[:AROUND]} ..." if len(after) > AROUND else after
    return Shown(before=lead, marked=_cut(passage), after=tail)


def _cut(text: str) -> str:
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]} ..."
