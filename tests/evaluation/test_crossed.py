"""Cross-validation: parts that hold out every item once, and one measure of what several models make."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from genwright.core.errors import RecipeError
from genwright.data.split import Splitting
from genwright.evaluation.crossed import pooled
from genwright.evaluation.records import Evaluation, Measured
from genwright.recipes.recipe import parse
from tests.workspaces import PICTURES


@given(st.integers(2, 10), st.floats(0.01, 0.49), st.binary())
def test_every_item_is_held_out_once(folds: int, validation: float, data: bytes) -> None:
    split, digest = Splitting(folds=folds, validation=validation), hashlib.sha256(data).hexdigest()
    sides = [split.side(digest, fold) for fold in range(folds)]
    assert sides.count("test") == 1


def test_parts_are_about_as_large_as_they_should_be_and_one_fold_is_the_split_as_ever() -> None:
    digests = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(2000)]
    for fold in range(4):
        sides = [Splitting(folds=4, validation=0.2).side(digest, fold) for digest in digests]
        assert abs(sides.count("test") / 2000 - 0.25) < 0.04
        assert abs(sides.count("validation") / 2000 - 0.2) < 0.04
    assert [Splitting(test=0.25).side(d) for d in digests] == [Splitting(folds=4).side(d) for d in digests]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValidationError, match="leave `test` out"):
        Splitting(folds=4, test=0.3)
    assert Splitting.model_validate(Splitting(folds=4).model_dump()).folds == 4
    two = {"a": {"makes": "content"}, "b": {"makes": "content"}}
    with pytest.raises(RecipeError, match="cross-validates one model"):
        parse({**PICTURES, "split": {"folds": 3}, "models": two})


def evaluation(n: int, *, unmeasured: dict[str, str] | None = None, **values: float) -> Evaluation:
    measures = {k: Measured(value=v, low=v - 1, high=v + 1, n=n, floor=0.0, groups={f"of={n}": v}) for k, v in values.items()}
    return Evaluation(
        model="m", evaluation_set=str(n), code="c", compared_by="mmd", measures=measures, unmeasured=unmeasured or {}
    )


def test_the_mean_of_the_parts_with_the_wider_of_two_intervals() -> None:
    alike = pooled([evaluation(20, mmd=5.0), evaluation(30, mmd=5.0), evaluation(25, mmd=5.0), evaluation(25, mmd=5.0)])
    one = alike.measures["mmd"]
    assert (one.value, one.n, one.floor, one.groups) == (5.0, 100, 0.0, {})
    assert one.high - one.value == pytest.approx(0.5)  # chance in the items: one in two, of four parts
    apart = pooled([evaluation(20, mmd=3.0), evaluation(30, mmd=7.0)]).measures["mmd"]
    assert (apart.value, apart.low, apart.high) == (5.0, 2.0, 8.0)  # as far as any part goes, and no farther
    near = pooled([evaluation(20, mmd=v) for v in (4.5, 5.0, 5.5)]).measures["mmd"]
    assert near.high - near.value == pytest.approx(0.5 * 4.303 / np.sqrt(3), rel=1e-3)  # Student's t, two degrees of freedom


def test_a_part_with_few_items_is_left_out_and_a_measure_of_few_parts_is_not_taken() -> None:
    few = evaluation(7, unmeasured={"mmd": "needs 12 test items, there are 7", "chrf": "measures sequences"})
    found = pooled([few, evaluation(20, mmd=1.0), evaluation(20, mmd=3.0)])
    assert found.measures["mmd"].value == 2.0
    assert found.unmeasured == {"chrf": "measures sequences"}
    assert pooled([few, few, evaluation(20, mmd=1.0)]).unmeasured["mmd"] == "needs 12 test items, there are 7"
    assert pooled([few]) is few
    assert pooled([few, few]).evaluation_set != few.evaluation_set


def test_a_fault_of_one_is_a_fault_of_all() -> None:
    broken = evaluation(20, mmd=1.0).model_copy(update={"faults": ["a sample is not finite"]})
    assert pooled([evaluation(20, mmd=1.0), broken]).faults == ["a sample is not finite"]
