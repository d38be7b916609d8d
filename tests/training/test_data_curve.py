"""What a curve over numbers of items says, and that a part of a data set is one in its own right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from genwright.core.record import Part
from genwright.evaluation.records import Measured
from genwright.training.data_curve import DataCurve, LearnedFrom
from tests import made


def curve(*values: float, spread: float = 0.1, better: str = "lower") -> DataCurve:
    points = [
        LearnedFrom(items=100 * 2**place, measured=Measured(value=value, low=value - spread, high=value + spread, n=50))
        for place, value in enumerate(values)
    ]
    return DataCurve.model_validate({"model": "m", "measure": "mmd", "better": better, "points": points})


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_a_gain_that_shrinks_is_expected_to_shrink_on(better: str) -> None:
    sign = 1 if better == "lower" else -1
    found = curve(9 * sign, 5 * sign, 3 * sign, better=better)
    assert found.told
    assert found.gain == pytest.approx(2)
    assert found.expected == pytest.approx(1)
    assert found.words.startswith("Twice the data would gain about 1: mmd is")


def test_what_chance_does_not_tell_apart_is_flat() -> None:
    found = curve(9, 3.05, 3.0)
    assert not found.told
    assert found.words.startswith("Flat: mmd is 3.05 (2.95 to 3.15) from 200 items")


def test_more_that_makes_it_worse_is_said() -> None:
    assert curve(5, 4, 6).words.startswith("More data made it worse")


def test_without_a_quarter_a_doubling_is_expected_to_gain_what_the_last_one_did() -> None:
    assert curve(5, 3).expected == pytest.approx(2)


@pytest.mark.parametrize("kind", ["image", "text"])
def test_a_part_of_the_items_is_as_if_there_were_no_others(kind: str, tmp_path: Path) -> None:
    options = {"image": {"size": [8, 8], "channels": 1}, "text": {"vocab": 300, "length": 32}}[kind]
    content = Part(kind=kind, options=options)
    data = made.dataset(tmp_path / "data", content, condition=Part(kind="label"), lack={"condition": 3})
    half, quarter = data.part(0.5), data.part(0.25)
    assert (len(data.train), len(half.train), len(quarter.train)) == (96, 48, 24)
    assert len(half.test) == len(data.test)
    assert set(quarter.train.digests[:, 0]) < set(half.train.digests[:, 0]) < set(data.train.digests[:, 0])
    where = [list(data.train.digests[:, 0]).index(digest) for digest in half.train.digests[:, 0]]
    rows = np.arange(48)
    assert torch.equal(half.train.contents(rows), data.train.contents(np.array(where)))
    given, whole = half.train.given(rows)["condition"], data.train.given(np.array(where))["condition"]
    assert torch.equal(given.present, whole.present)
    assert torch.equal(given.value[given.present], whole.value[whole.present])
    seen = {row.numpy().tobytes() for step in range(6) for row in half.train.batch(8, 0, step).made}
    assert seen == {row.numpy().tobytes() for row in half.train.contents(rows)} or kind == "text"
