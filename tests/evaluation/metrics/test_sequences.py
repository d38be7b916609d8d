"""Measures of sequences, on models whose answers are known beforehand."""

from __future__ import annotations

import gzip
import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from genwright.core.record import Part
from genwright.core.shapes import BOS, EOS, PAD, Shape, Tokens
from genwright.data.dataset import Batch, Dataset
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, metrics
from genwright.evaluation.passages import Automaton
from genwright.evaluation.records import Measured
from genwright.models.architectures.base import Architecture, ArchitectureConfig, SampleOptions
from tests import made

LENGTH = 16
TEXT = Part(kind="text", options={"vocab": 300, "length": LENGTH})


class Known(Architecture):
    """Finds every token equally likely and writes the rows it was given."""

    name = "known"
    rows: Tensor

    @classmethod
    def accepts(cls, content: Shape, condition: Shape | None) -> str | None:
        return None

    @classmethod
    def sized(cls, content: Shape, condition: Shape | None, dial: float) -> ArchitectureConfig:
        return ArchitectureConfig()

    def loss(self, batch: Batch, player: str) -> Tensor:
        return self.token_nll(batch).mean()

    def token_nll(self, batch: Batch) -> Tensor:
        assert isinstance(self.content, Tokens)
        scored = (batch.content != PAD) & (batch.content != BOS)
        scored[:, 0] = False
        return scored.float() * math.log(self.content.vocab)

    def sample(self, n: int, condition: Tensor | None, options: SampleOptions, prefix: Tensor | None = None) -> Tensor:
        return self.rows[:n]


def subject(data: Dataset, rows: list[list[int]] | None = None, *, side: str = "test", count: int = 32) -> Evaluand:
    model = Known(ArchitectureConfig(), data.contents.content, data.contents.condition)
    if rows is not None:
        model.rows = torch.full((len(rows), max(map(len, rows)) + 1), PAD)
        for place, row in enumerate(rows):
            model.rows[place, : len(row) + 1] = torch.tensor([*row, EOS])
        count = len(rows)
    return Evaluand(model=model, dataset=data, side=side, count=count, seed=0, options=SampleOptions())


def take(name: str, evaluand: Evaluand) -> Measured:
    metric: Metric = metrics.get(name)()
    assert metric.applies(evaluand) is None
    return metric.measure(evaluand)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made.dataset(tmp_path_factory.mktemp("texts") / "data", TEXT)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made.dataset(
        tmp_path_factory.mktemp("pairs") / "data", Part(kind="text", options={"vocab": 300, "length": 64}), TEXT
    )


def test_every_token_of_an_item_is_predicted_exactly_once(texts: Dataset) -> None:
    """Items are longer than the model's length; EOS counts, BOS does not."""
    assert any(len(texts.test.content.tokens(i)) > 2 * LENGTH for i in range(len(texts.test)))
    measured = take("bits_per_byte", subject(texts))
    tokens = sum(len(texts.test.content.tokens(i)) + 1 for i in range(len(texts.test)))
    assert isinstance(texts.contents.content, Tokens)
    expected = tokens * math.log2(texts.contents.content.vocab) / int(texts.test.bytes.sum())
    assert measured.value == pytest.approx(expected, rel=1e-5)
    assert measured.low < measured.value < measured.high
    assert measured.n == len(texts.test)


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
    files = [texts.test.content.tokens(i) for i in range(len(texts.test))]
    evaluand = subject(texts)
    zipped = sum(len(gzip.compress(evaluand.content.decode(f).encode(), 9)) for f in files)
    expected = 8 * zipped / int(texts.test.bytes.sum())
    assert take("bits_per_byte", evaluand).detail["gzip"] == pytest.approx(expected)


def test_validation_is_capped_by_tokens(texts: Dataset) -> None:
    few = take("bits_per_byte", subject(texts, side="validation", count=4))
    tokens = [len(texts.validation.content.tokens(i)) for i in range(len(texts.validation))]
    assert few.n == next(n for n in range(len(tokens)) if sum(tokens[:n]) >= 4 * LENGTH)
    assert "gzip" not in few.detail
    every = take("bits_per_byte", subject(texts, side="validation", count=10_000))
    assert every.n == len(texts.validation)
    assert few.value == pytest.approx(every.value, rel=0.1)


def test_what_does_not_fit_is_left_out_where_text_is_conditioned(tmp_path: Path) -> None:
    short = Part(kind="text", options={"vocab": 300, "length": 30})
    data = made.dataset(tmp_path / "data", short, TEXT)
    fitting = [i for i in range(len(data.test)) if len(data.test.content.tokens(i)) + 2 <= 30]
    assert 0 < len(fitting) < len(data.test)
    measured = take("bits_per_byte", subject(data))
    assert (measured.n, measured.detail["left_out"]) == (len(fitting), len(data.test) - len(fitting))
    assert isinstance(data.contents.content, Tokens)
    bits = sum(len(data.test.content.tokens(i)) + 1 for i in fitting) * math.log2(data.contents.content.vocab)
    assert measured.value == pytest.approx(bits / int(data.test.bytes[fitting].sum()), rel=1e-5)


def test_right_answers_get_all_points_and_the_baseline_is_beaten(pairs: Dataset) -> None:
    right = [pairs.test.content.tokens(i).tolist() for i in range(len(pairs.test))]
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
    new = [texts.test.content.tokens(i).tolist() for i in range(30)]
    honest = take("copied_passage", subject(texts, new))
    assert honest.value == honest.floor
    sizes = [len(texts.train.content.tokens(i)) for i in range(len(texts.train))]
    row = sizes.index(max(sizes))
    copied = texts.train.content.tokens(row).tolist()
    caught = take("copied_passage", subject(texts, [*new[:15], *[copied] * 15]))
    assert caught.detail["row"] == row
    assert caught.detail["text"] == subject(texts).content.decode(np.array(copied))
    assert caught.value == len(caught.detail["text"])
    assert caught.floor is not None
    assert caught.value > caught.floor


def test_repetition_is_no_variety(texts: Dataset) -> None:
    new = [texts.train.content.tokens(i).tolist() for i in range(32)]
    assert take("variety", subject(texts, new)).value == pytest.approx(1.0, abs=0.15)
    assert take("variety", subject(texts, [new[0]] * 32)).high < 0.3
    assert take("variety", subject(texts, [[5] * 30] * 32)).high < 0.05
    assert take("variety", subject(texts, [[]] * 4)).value == 0
