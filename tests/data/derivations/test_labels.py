"""Labels that few items have: withheld, predicted by a classifier, and filled in."""

from __future__ import annotations

import torch

from genwright.core.batch import Given
from genwright.core.shapes import Label, Signal
from tests.data.derivations.made import derivation, draws

N = 400


class Sure:
    """A classifier that is sure of class 2 where the picture is bright, and of nothing else."""

    decodable: frozenset[str] = frozenset()
    codes = {"picture": Signal(channels=3, bounded=False)}

    def encode(self, column: str, value: torch.Tensor) -> torch.Tensor:
        bright = value.flatten(1).mean(dim=1)
        return torch.stack([torch.zeros(len(value)), torch.zeros(len(value)), 9 * bright], dim=1)

    def decode(self, column: str, code: torch.Tensor) -> torch.Tensor:
        raise AssertionError


def test_the_same_items_lose_a_share_of_what_they_have() -> None:
    one, label = derivation("withheld", share=0.9), torch.arange(N) % 4
    there = torch.rand(N, generator=torch.Generator().manual_seed(0)) < 0.5
    found = one.given([Given(label, there)], draws(N))[""]
    assert 0.02 * N < found.present.sum() < 0.08 * N
    assert not (found.present & ~there).any()
    assert torch.equal(found.value[found.present], label[found.present])
    part = one.given([Given(label[5:9], there[5:9])], type(draws(1)).of(0, 0, range(5, 9)))[""]
    assert torch.equal(part.present, found.present[5:9])


def test_an_item_is_given_a_label_only_where_the_classifier_is_sure() -> None:
    from genwright.data.derivations.predicted import Predicted, PredictedOptions

    one = Predicted(PredictedOptions(by="teacher", column="picture", sure=0.9), Sure())
    assert one.shapes([Signal(channels=1, axes=(2, 2), over=("y", "x"))])[""] == Label(classes=3)
    brightness = torch.tensor([1.0, 0.0, 1.0]).view(3, 1, 1, 1).expand(3, 1, 2, 2)
    found = one.given([Given(brightness, torch.tensor([True, True, False]))], draws(3))
    assert found[""].present.tolist() == [True, False, False]
    assert found[""].value.tolist() == [2, 0, 0]
    assert found["sure"].present.tolist() == [True, True, False]
    assert abs(float(found["sure"].value[1]) - 1 / 3) < 1e-6


def test_what_is_lacking_is_taken_from_the_next_column_that_has_it() -> None:
    by_hand = Given(torch.tensor([1, 9, 9, 9]), torch.tensor([True, False, False, False]))
    guessed = Given(torch.tensor([2, 2, 9, 9]), torch.tensor([True, True, False, False]))
    last = Given(torch.tensor([3, 3, 3, 9]), torch.tensor([True, True, True, False]))
    found = derivation("filled").given([by_hand, guessed, last], draws(4))[""]
    assert found.present.tolist() == [True, True, True, False]
    assert found.value.tolist() == [1, 2, 3, 0]
