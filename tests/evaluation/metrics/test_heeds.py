"""Whether what is given makes a difference: against samples whose givens were shuffled, and what cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.record import Part
from genwright.core.shapes import Tokens
from genwright.data.dataset import Dataset
from genwright.data.view import Derived, View, Wanted
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.heeds import Heeds
from genwright.models.architectures.base import SampleOptions, build_model
from genwright.sampling.sampler import Ask
from tests import made

IMAGE = Part(kind="image", options={"size": [8, 8], "channels": 1})
TEXT = Part(kind="text", options={"vocab": 300, "length": 24})
COUNTS = {"train": 32, "validation": 16, "test": 64}


def subject(data: Dataset, draw: Callable[[Evaluand], Tensor]) -> Evaluand:
    """Held-out items as samples, chosen by `draw`."""
    made_of = Evaluand(data.signature, data, "test", 64, 0, SampleOptions(), lambda asks: draw(made_of)[: len(asks)])
    return made_of


@pytest.fixture(params=["caption", "picture", "texts"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    given = {"caption": TEXT, "picture": IMAGE, "texts": TEXT}[request.param]
    return made.dataset(tmp_path / "data", TEXT if request.param == "texts" else IMAGE, COUNTS, asked=given)


def right(one: Evaluand) -> Tensor:
    """For each sample the item that is given what it is given."""
    return one.held_out.contents(one.rows)


def test_items_that_are_given_the_same_are_told_from_those_for_shuffled_givens(data: Dataset) -> None:
    heeding = Heeds().measure(subject(data, right))
    shuffled = Heeds().measure(
        subject(data, lambda one: right(one)[torch.randperm(64, generator=torch.Generator().manual_seed(1))])
    )
    assert heeding.value > 0.9
    assert heeding.low > shuffled.high
    assert shuffled.low < 0.5 < shuffled.high
    assert "makes no difference that can be told" in str(Heeds.alarm(shuffled))
    assert heeding.naive == 0.5


def test_the_same_for_everything_is_chance_to_the_digit(tmp_path: Path) -> None:
    data = made.dataset(tmp_path / "data", IMAGE, COUNTS, asked=TEXT)
    found = Heeds().measure(subject(data, lambda one: torch.zeros(64, *data.signature.makes.dims)))  # type: ignore[union-attr]
    assert found.value == pytest.approx(0.5, abs=1e-9)


def test_what_is_given_nothing_or_never_the_same_is_refused(tmp_path: Path) -> None:
    plain = made.dataset(tmp_path / "plain", IMAGE, COUNTS)
    assert Heeds.suits(plain.signature) == "nothing is given"
    data = made.dataset(tmp_path / "data", IMAGE, COUNTS, asked=TEXT)
    one = subject(data, right)
    one.__dict__["given"] = {"asked": Given.all(torch.full_like(one.given["asked"].value, 5))}
    assert "no held-out item is given" in str(Heeds.lacks(one))


def test_of_two_columns_it_says_which_is_heeded(tmp_path: Path) -> None:
    """Also where samples go round the held-out items several times."""
    data = made.dataset(tmp_path / "data", IMAGE, {**COUNTS, "test": 25}, asked=TEXT, beside=IMAGE)
    held_out = data.test.items(np.arange(25))
    known = {held_out.given["asked"].value[row].numpy().tobytes(): row for row in range(25)}

    def by_text(asks: Sequence[Ask]) -> Tensor:
        return data.test.contents(np.array([known[ask.given["asked"].numpy().tobytes()] for ask in asks]))

    found = Heeds().measure(Evaluand(data.signature, data, "test", 50, 0, SampleOptions(), by_text))
    fall, low, _ = found.detail["by"]["asked"]
    assert fall > 0.3
    assert low > 0.2
    assert found.detail["by"]["beside"] == (0.0, 0.0, 0.0)
    assert Heeds.alarm(found) is None


def test_parts_of_one_column_are_swapped_together(tmp_path: Path) -> None:
    plain = made.dataset(tmp_path / "data", IMAGE, {**COUNTS, "test": 25}, asked=TEXT)
    known = Derived(part=Part(kind="masked"), of=["content"])
    given = {"asked": Wanted(), "known": Wanted(), "known_mask": Wanted()}
    data = Dataset(plain.folder, View(makes="content", given=given, derived={"known": known}))
    asked = list[Ask]()

    def remembered(asks: Sequence[Ask]) -> Tensor:
        asked.extend(asks)
        return torch.zeros(len(asks), *data.signature.makes.dims)  # type: ignore[union-attr]

    found = Heeds().measure(Evaluand(data.signature, data, "test", 25, 0, SampleOptions(), remembered))
    assert set(found.detail["by"]) == {"asked", "known"}
    for ask in asked:  # what is hidden is nothing, in every ask
        assert not bool(ask.given["known"][ask.given["known_mask"] == 0].any())


def test_a_model_of_the_same_build_that_has_learned_nothing_stands_beside(data: Dataset) -> None:
    """What is measured are perfect samples; the weights of the model that is said to have drawn them are no numbers, and are
    not used."""
    family = "seq2seq" if isinstance(data.signature.makes, Tokens) else "diffusion"
    model = build_model(family, made.plan(data, family).candidate.config, data.signature).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    options = model.Options.model_validate({"steps": 2} if family == "diffusion" else {})
    perfect = Evaluand(data.signature, data, "test", 64, 0, options, lambda asks: right(perfect)[: len(asks)], model=model)
    with torch.no_grad():
        found = Heeds().measure(perfect)
    assert found.value > 0.9
    value, low, high = found.detail["untrained"]
    assert low <= value <= high < found.low
    assert low - 1e-9 <= 0.5 <= high + 1e-9  # where all texts are alike each is one half
