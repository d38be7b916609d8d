"""Measures of sequences, on models whose answers are known beforehand."""

from __future__ import annotations

import gzip
import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from genwright.core.batch import Batch
from genwright.core.record import Part
from genwright.core.shapes import BOS, EOS, PAD, Label, Signature, Tokens
from genwright.data.columns import Column
from genwright.data.dataset import Dataset
from genwright.data.feed import Side
from genwright.data.view import View, Wanted
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, metrics
from genwright.evaluation.passages import Automaton
from genwright.evaluation.records import Measured
from genwright.models.architectures.base import Architecture, ArchitectureConfig, SampleOptions
from genwright.sampling.sampler import Ask
from tests import made

LENGTH = 16
TEXT = Part(kind="text", options={"vocab": 300, "length": LENGTH})


class Known(Architecture):
    """Finds every token equally likely; where a label is given, class c is c times as surprising as class 0 and one more."""

    name = "known"

    @classmethod
    def accepts(cls, signature: Signature) -> str | None:
        return None

    @classmethod
    def sized(cls, signature: Signature, dial: float) -> ArchitectureConfig:
        return ArchitectureConfig()

    def loss(self, batch: Batch, player: str) -> Tensor:
        return self.token_nll(batch).mean()

    def token_nll(self, batch: Batch) -> Tensor:
        scored = ((batch.made != PAD) & (batch.made != BOS)).float()
        scored[:, 0] = 0
        label = self.signature.one(Label)
        times = 1 + batch.given[label].value[:, None] if label else 1
        return scored * times * math.log(self.makes.vocab)


def texts_of(side: Side) -> Column:
    assert side.texts is not None
    return side.texts


def vocab(data: Dataset) -> int:
    shape = data.signature.makes
    assert isinstance(shape, Tokens)
    return shape.vocab


def subject(data: Dataset, rows: list[list[int]] | None = None, *, held: str = "test", count: int = 32) -> Evaluand:
    """A model that writes these rows, whatever it is asked."""

    def draw(asks: Sequence[Ask]) -> Tensor:
        assert rows is not None
        drawn = torch.full((len(rows), max(map(len, rows)) + 1), PAD)
        for place, row in enumerate(rows):
            drawn[place, : len(row) + 1] = torch.tensor([*row, EOS])
        return drawn[: len(asks)]

    return Evaluand(
        signature=data.signature,
        dataset=data,
        held=held,
        count=count if rows is None else len(rows),
        seed=0,
        options=SampleOptions(),
        draw=draw,
        model=Known(ArchitectureConfig(), data.signature),
    )


def take(name: str, evaluand: Evaluand) -> Measured:
    metric: Metric = metrics.get(name)()
    assert metric.applies(evaluand) is None
    return metric.measure(evaluand)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made.dataset(tmp_path_factory.mktemp("texts") / "data", TEXT)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    answer = Part(kind="text", options={"vocab": 300, "length": 64})
    return made.dataset(tmp_path_factory.mktemp("pairs") / "data", answer, condition=TEXT)


def test_every_token_of_an_item_is_predicted_exactly_once(texts: Dataset) -> None:
    """Items are longer than the model's length; EOS counts, BOS does not."""
    sizes = [len(texts_of(texts.test).tokens(i)) for i in range(len(texts.test))]
    assert max(sizes) > 2 * LENGTH
    measured = take("bits_per_byte", subject(texts))
    expected = sum(size + 1 for size in sizes) * math.log2(vocab(texts)) / int(texts.test.bytes.sum())
    assert measured.value == pytest.approx(expected, rel=1e-5)
    assert measured.low < measured.value < measured.high
    assert measured.n == len(texts.test)


@pytest.mark.parametrize("given", [Part(kind="label"), TEXT], ids=["label", "text"])
def test_what_is_given_goes_with_every_window_of_its_item(given: Part, tmp_path: Path) -> None:
    """Long items are no exception where something is given: every token is predicted exactly once, under what its item is
    given."""
    data = made.dataset(tmp_path / "data", TEXT, condition=given)
    sizes = [len(texts_of(data.test).tokens(i)) for i in range(len(data.test))]
    assert max(sizes) > 2 * LENGTH
    labels = data.test.given(np.arange(len(sizes)))["condition"].value if given.kind == "label" else torch.zeros(len(sizes))
    measured = take("bits_per_byte", subject(data))
    nats = sum((size + 1) * (1 + int(label)) for size, label in zip(sizes, labels, strict=True))
    assert measured.value == pytest.approx(nats * math.log2(vocab(data)) / int(data.test.bytes.sum()), rel=1e-5)
    assert measured.n == len(data.test)
    assert "left_out" not in measured.detail
    if given.kind == "label":
        for place, name in enumerate(data.contents.columns["condition"].labels or []):
            own = [i for i in range(len(sizes)) if int(labels[i]) == place]
            bits = sum((sizes[i] + 1) * (1 + place) for i in own) * math.log2(vocab(data))
            assert measured.groups[f"condition={name}"] == pytest.approx(bits / int(data.test.bytes[own].sum()), rel=1e-5)


def test_bytes_are_those_of_the_text_that_is_made(tmp_path: Path) -> None:
    """Of a caption, not of the picture it is of."""
    view = View(makes="content", given={"picture": Wanted()})
    image = Part(kind="image", options={"size": [8, 8], "channels": 1})
    whole = made.dataset(tmp_path / "texts", TEXT, view=view, picture=image)
    view = View(makes="caption", given={"content": Wanted()})
    captions = made.dataset(tmp_path / "captions", image, view=view, caption=TEXT)
    one, other = (take("bits_per_byte", subject(data)) for data in (captions, whole))
    assert (one.value, one.detail, one.naive) == (other.value, other.detail, other.naive)


def test_tokens_are_predicted_from_at_least_half_a_window() -> None:
    from genwright.evaluation.metrics.bits_per_byte import _windows

    for size in range(1, 5 * LENGTH):
        counted = []
        for _, first, row in _windows(0, np.arange(size) + 3, size, LENGTH):
            end = int((row != PAD).sum())
            assert first == 0 or first >= LENGTH // 2
            counted += row[first:end].tolist()
        assert counted == [BOS, *(np.arange(size) + 3).tolist(), EOS]


def test_gzip_needs_what_it_needs(texts: Dataset) -> None:
    files = [texts_of(texts.test).tokens(i) for i in range(len(texts.test))]
    evaluand = subject(texts)
    zipped = sum(len(gzip.compress(evaluand.content.decode(f).encode(), 9)) for f in files)
    expected = 8 * zipped / int(texts.test.bytes.sum())
    assert take("bits_per_byte", evaluand).detail["gzip"] == pytest.approx(expected)


def test_validation_is_capped_by_tokens(texts: Dataset) -> None:
    few = take("bits_per_byte", subject(texts, held="validation", count=4))
    rows = texts.validation.subset(len(texts.validation)).tolist()
    tokens = [len(texts_of(texts.validation).tokens(row)) for row in rows]
    assert few.n == next(n for n in range(len(tokens)) if sum(tokens[:n]) >= 4 * LENGTH)
    assert "gzip" not in few.detail
    every = take("bits_per_byte", subject(texts, held="validation", count=10_000))
    assert every.n == len(texts.validation)
    assert few.value == pytest.approx(every.value, rel=0.1)


def test_right_answers_get_all_points_and_the_baseline_is_beaten(pairs: Dataset) -> None:
    right = [texts_of(pairs.test).tokens(row).tolist() for row in pairs.test.subset(len(pairs.test)).tolist()]
    evaluand = subject(pairs, right)
    assert take("chrf", evaluand).value == pytest.approx(100)
    gain = take("chrf_gain", evaluand)
    assert gain.low > 0
    assert gain.value == pytest.approx(100 - take("chrf", evaluand).detail["baseline"])
    wrong = subject(pairs, [[row[-1]] for row in right])
    assert take("chrf", wrong).value < 20
    assert take("chrf_gain", wrong).high < 0


def test_the_nearest_training_item_answers_what_training_answered(pairs: Dataset) -> None:
    """Asked what training was asked, looking up gives training's answer."""
    from genwright.evaluation.translation import _nearest

    known = ["the sea is wide", "a red sky", "the wind sleeps"]
    assert _nearest(known, ["a sky, red!", "how wide is the sea", "..."]).tolist()[:2] == [1, 0]
    assert _nearest(["", "."], ["a"]).tolist() == [0]


def test_shared_passages_are_those_of_a_search_by_hand() -> None:
    shuffle = random.Random(0)
    for _ in range(60):
        sequences, body = ([[shuffle.randrange(3) for _ in range(shuffle.randrange(14))] for _ in range(4)] for _ in range(2))
        for sequence, found in zip(sequences, Automaton(sequences).longest(body), strict=True):
            shared = [
                (end - start)
                for start in range(len(sequence))
                for end in range(start + 1, len(sequence) + 1)
                if any(sequence[start:end] == item[i : i + end - start] for item in body for i in range(len(item)))
            ]
            assert found.length == max(shared, default=0)
            if found.length:
                passage, item = sequence[found.start : found.start + found.length], body[found.item]
                assert any(passage == item[i : i + found.length] for i in range(len(item)))


def test_a_copied_training_text_is_found_and_named(texts: Dataset) -> None:
    new = [texts_of(texts.test).tokens(row).tolist() for row in texts.test.subset(30).tolist()]
    honest = take("copied_passage", subject(texts, new))
    assert honest.value == honest.floor
    sizes = [len(texts_of(texts.train).tokens(i)) for i in range(len(texts.train))]
    row = sizes.index(max(sizes))
    copied = texts_of(texts.train).tokens(row).tolist()
    caught = take("copied_passage", subject(texts, [*new[:15], *[copied] * 15]))
    assert caught.detail["row"] == row
    assert caught.detail["text"] == subject(texts).content.decode(np.array(copied))
    assert caught.value == len(caught.detail["text"])
    assert caught.floor is not None
    assert caught.value > caught.floor


def test_repetition_is_no_variety(texts: Dataset) -> None:
    new = [texts_of(texts.train).tokens(i).tolist() for i in range(32)]
    assert take("variety", subject(texts, new)).value == pytest.approx(1.0, abs=0.15)
    assert take("variety", subject(texts, [new[0]] * 32)).high < 0.3
    assert take("variety", subject(texts, [[5] * 30] * 32)).high < 0.05
    assert take("variety", subject(texts, [[]] * 4)).value == 0
