"""Batches as a model sees them: pure, complete, and with what is derived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genwright.core.batch import Batch, Given
from genwright.core.errors import DataError
from genwright.core.record import Part
from genwright.core.shapes import BOS, EOS, PAD, Signal
from genwright.data.dataset import Dataset
from genwright.data.derivations.resized import scale
from genwright.data.feed import Side
from genwright.data.view import Derived, View, Wanted
from tests import made

LENGTH = 8
IMAGE = Part(kind="image", options={"size": [8, 8], "channels": 1})
TEXT = Part(kind="text", options={"vocab": 300, "length": LENGTH})
LABEL = Part(kind="label")

Pairs = Counter[tuple[int, int]]


def pairs(tokens: Sequence[int]) -> Pairs:
    """Each predicted token with the one before it; PAD is not predicted."""
    return Counter(pair for pair in pairwise(tokens) if pair[1] != PAD)


def stream(side: Side, item: int) -> list[int]:
    assert side.texts is not None
    return [BOS, *side.texts.tokens(item).tolist(), EOS]


def epoch(side: Side, number: int, seed: int = 0, size: int = 7) -> Batch:
    """The units of one epoch, gathered from batches that do not end with it."""
    first, last = number * side.units, (number + 1) * side.units
    batches = [side.batch(size, seed, step) for step in range(first // size, -(-last // size))]
    content = torch.cat([batch.made for batch in batches])
    given = {name: torch.cat([batch.given[name].value for batch in batches]) for name in batches[0].given}
    begin = first - first // size * size
    rows = slice(begin, begin + side.units)
    return Batch(content[rows], {name: Given.all(value[rows]) for name, value in given.items()})


def equal(one: Batch, other: Batch) -> bool:
    same = torch.equal(one.made, other.made) and list(one.given) == list(other.given)
    return same and all(
        torch.equal(one.given[name].value, other.given[name].value)
        and torch.equal(one.given[name].present, other.given[name].present)
        for name in one.given
    )


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Texts, most of several windows, each with a label of its own."""
    monkeypatch.setattr(made, "KINDS", sum(made.COUNTS.values()))
    return made.dataset(tmp_path / "data", TEXT, {"train": 40, "validation": 8, "test": 8}, label=LABEL)


def by_item(side: Side, batch: Batch) -> dict[int, list[list[int]]]:
    """The windows of each item, which its label names."""
    labels = side.given(np.arange(len(side)))["label"].value.tolist()
    found: dict[int, list[list[int]]] = {}
    for window, label in zip(batch.made.tolist(), batch.given["label"].value.tolist(), strict=True):
        found.setdefault(labels.index(label), []).append(window)
    return found


def test_windows_of_long_texts_predict_every_token_exactly_once_an_epoch(named: Dataset) -> None:
    """Each after its own predecessor and beside what its item is given."""
    side = named.train
    assert max(len(stream(side, item)) for item in range(len(side))) > 3 * LENGTH
    for number in range(3):
        windows = by_item(side, epoch(side, number))
        assert sorted(windows) == list(range(len(side)))
        for item, rows in windows.items():
            assert sum((pairs(row) for row in rows), Pairs()) == pairs(stream(side, item))


def test_windows_of_long_texts_begin_elsewhere_every_epoch(named: Dataset) -> None:
    """All but those of a text that fills its windows to the last place."""
    side = named.train
    begins = [
        {item: sorted(tuple(row) for row in rows) for item, rows in by_item(side, epoch(side, number)).items()}
        for number in range(4)
    ]
    assert sum(len(rows) for rows in begins[0].values()) == side.units > len(side)
    free = [item for item in begins[0] if (len(stream(side, item)) - 1) % (LENGTH - 1) and len(begins[0][item]) > 1]
    assert len(free) > len(side) / 2
    assert all(len({str(one[item]) for one in begins}) > 1 for item in free)


def test_a_stream_of_texts_predicts_every_token_once_an_epoch(tmp_path: Path) -> None:
    """But for what does not fill a window; the next epoch has the items in another order."""
    side = made.dataset(tmp_path / "data", TEXT).train
    every = sum((pairs(stream(side, item)) for item in range(len(side))), Pairs())
    seen = []
    for number in range(2):
        rows = epoch(side, number).made.tolist()
        found = sum((pairs(row) for row in rows), Pairs())
        assert sum(found.values()) == side.units * (LENGTH - 1)
        del found[EOS, BOS]
        assert not found - every
        assert sum((every - found).values()) < LENGTH
        seen.append(rows)
    assert sorted(seen[0]) != sorted(seen[1])


def test_every_item_comes_once_an_epoch_in_an_order_of_its_own(tmp_path: Path) -> None:
    side = made.dataset(tmp_path / "data", IMAGE, caption=TEXT).train
    stored = side.contents(np.arange(len(side)))
    orders = []
    for number in range(2):
        batch = epoch(side, number)
        order = [int((stored == picture).flatten(1).all(dim=1).nonzero()[0]) for picture in batch.made]
        assert sorted(order) == list(range(len(side)))
        assert torch.equal(batch.given["caption"].value, side.given(np.array(order))["caption"].value)
        orders.append(order)
    assert orders[0] != orders[1]


CASES: dict[str, tuple[Part, dict[str, Part]]] = {
    "pictures": (IMAGE, {"caption": TEXT, "label": LABEL}),
    "stream": (TEXT, {}),
    "windows": (TEXT, {"label": LABEL}),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_batch_depends_on_seed_and_step_alone(case: str, tmp_path: Path) -> None:
    """Whoever asks, in whatever order: so a training that was stopped goes on as if it had not been."""
    content, given = CASES[case]
    one = made.dataset(tmp_path / "data", content, lack={"caption": 3} if "caption" in given else {}, **given)
    other = Dataset(one.folder)
    steps = [0, 1, 2, 3 * one.train.units // 16, 40]
    forwards = [one.train.batch(16, 1, step) for step in steps]
    backwards = [other.train.batch(16, 1, step) for step in reversed(steps)]
    assert all(equal(a, b) for a, b in zip(forwards, reversed(backwards), strict=True))
    assert not equal(forwards[0], forwards[1])
    assert not equal(forwards[0], one.train.batch(16, 2, 0))


NOISY = Part(kind="degraded", options={"noise": 0.5, "level": True})


def small(side: int) -> Part:
    return Part(kind="resized", options={"size": [side, side]})


def view(given: Sequence[str], **derived: tuple[Part, str]) -> View:
    found = {name: Derived(part=part, of=[of]) for name, (part, of) in derived.items()}
    return View(makes="content", given={name: Wanted() for name in given}, derived=found)


def derived(folder: Path, seen: View, **lack: int) -> Dataset:
    return made.dataset(folder, IMAGE, view=seen, beside=IMAGE, lack=lack)


def test_what_is_drawn_is_the_same_for_a_held_out_item_every_time(tmp_path: Path) -> None:
    """Whichever items are asked for with it."""
    data = derived(tmp_path / "data", view(["noisy"], noisy=(NOISY, "content")))
    for side in (data.train, data.validation, data.test):
        every = side.given(np.arange(8))["noisy"].value
        assert torch.equal(side.items(np.arange(8)).given["noisy"].value, every)
        assert torch.equal(side.given(np.array([5, 2]))["noisy"].value, every[[5, 2]])
        noise = every - side.contents(np.arange(8))
        assert not torch.equal(noise[0], noise[1])
    again = Dataset(data.folder, data.view).test
    assert torch.equal(again.given(np.arange(8))["noisy"].value, data.test.given(np.arange(8))["noisy"].value)


def test_what_is_drawn_is_new_at_every_step_of_training(tmp_path: Path) -> None:
    data = derived(tmp_path / "data", view(["noisy"], noisy=(NOISY, "content")))
    size = data.train.units  # every item in every batch
    noises = {}
    for seed, step in ((0, 0), (0, 1), (1, 0)):
        batch = data.train.batch(size, seed, step)
        assert equal(batch, Dataset(data.folder, data.view).train.batch(size, seed, step))
        noise = batch.given["noisy"].value - batch.made
        noises[seed, step] = {picture.numpy().tobytes(): drawn for picture, drawn in zip(batch.made, noise, strict=True)}
    first, *others = noises.values()
    assert all(not torch.allclose(noise, other[item], atol=1e-3) for other in others for item, noise in first.items())


def test_columns_of_one_derivation_are_drawn_together_and_of_two_apart(tmp_path: Path) -> None:
    seen = view(["noisy", "noisy_level", "other_level"], noisy=(NOISY, "content"), other=(NOISY, "content"))
    data = derived(tmp_path / "data", seen)
    assert data.signature.given["noisy_level"].shape == Signal(channels=1, bounded=False)
    batch = data.train.batch(32, 0, 0)
    level, other = (batch.given[name].value[:, 0] for name in ("noisy_level", "other_level"))
    spread = (batch.given["noisy"].value - batch.made).flatten(1).std(dim=1)
    assert torch.corrcoef(torch.stack([level, spread]))[0, 1] > 0.9
    assert torch.corrcoef(torch.stack([level, other]))[0, 1].abs() < 0.6


def test_derived_of_derived_and_what_is_absent_stays_absent(tmp_path: Path) -> None:
    seen = view(["again", "beside"], again=(small(2), "once"), once=(small(4), "beside"))
    data = derived(tmp_path / "data", seen, beside=3)
    assert data.signature.given["again"].shape == Signal(channels=1, axes=(2, 2), over=("y", "x"))
    for batch in (data.train.batch(32, 0, 0), data.test.items(np.arange(8))):
        again, beside = batch.given["again"], batch.given["beside"]
        assert torch.equal(again.present, beside.present)
        assert not again.present.all()
        assert torch.equal(again.value[again.present], scale(scale(beside.value[again.present], (4, 4)), (2, 2)))
        assert not again.value[~again.present].any()


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (view(["besides"]), "'besides'.*did you mean 'beside'"),
        (view(["once"], once=(small(4), "again"), again=(small(4), "once")), "made of what is not there"),
        (view(["once"], once=(small(4), "nothing")), "made of what is not there"),
    ],
    ids=["no such column", "a circle", "of nothing"],
)
def test_a_view_of_what_is_not_there_is_refused(tmp_path: Path, seen: View, said: str) -> None:
    with pytest.raises(DataError, match=said):
        derived(tmp_path / "data", seen)


def test_another_column_can_be_made_and_the_content_be_given(tmp_path: Path) -> None:
    """Captions of pictures: what is made begins with BOS, what is given does not."""
    seen = View(makes="caption", given={"content": Wanted()})
    data = made.dataset(tmp_path / "data", IMAGE, view=seen, caption=TEXT)
    assert data.makes == data.contents.columns["caption"].shape
    for batch in (data.train.batch(8, 0, 0), data.test.items(np.arange(8))):
        assert batch.given["content"].value.shape == (8, 1, 8, 8)
    assert (data.test.items(np.arange(8)).made[:, 0] == BOS).all()
    whole = made.dataset(tmp_path / "whole", IMAGE, caption=TEXT)
    assert (whole.test.given(np.arange(8))["caption"].value != BOS).all()


def test_a_model_that_makes_nothing_sees_what_it_is_given(tmp_path: Path) -> None:
    seen = View(makes=None, given={"content": Wanted(), "caption": Wanted()})
    data = made.dataset(tmp_path / "data", IMAGE, view=seen, caption=TEXT)
    batch: Any = data.train.batch(8, 0, 0)
    assert batch.content is None
    assert len(batch) == 8
    assert sorted(batch.given) == ["caption", "content"]
    with pytest.raises(DataError, match="makes nothing"):
        _ = data.makes


def test_pictures_that_are_altered_in_training_are_measured_as_they_are(tmp_path: Path) -> None:
    altered = Derived(part=Part(kind="augmented", options={"shift": 0.3, "how": True}), of=["content"])
    seen = View(makes="altered", given={"altered_how": Wanted()}, derived={"altered": altered})
    data = derived(tmp_path / "data", seen)
    rows = np.arange(8)
    for side in (data.train, data.test):
        assert torch.equal(side.contents(rows), side.columns["content"].rows(rows))
        assert not side.given(rows)["altered_how"].value.any()
    assert data.train.batch(32, 0, 0).given["altered_how"].value.any()


def test_what_is_sought_is_in_every_batch_and_what_is_there_anyway_stays(tmp_path: Path) -> None:
    data = derived(tmp_path / "data", view(["beside"]), beside=2)  # every other item lacks it
    side = data.train
    for step in range(8):
        plain, sought = side.batch(16, 0, step), side.batch(16, 0, step, ("beside", 0.75))
        assert equal(sought, side.batch(16, 0, step, ("beside", 0.75)))
        there = sought.given["beside"].present
        assert there.sum() == max(12, int(plain.given["beside"].present.sum()))
        held = plain.given["beside"].present
        assert torch.equal(sought.made[held], plain.made[held])
    assert equal(side.batch(16, 0, 0, ("beside", 0.1)), side.batch(16, 0, 0))
