"""Each finding is provoked by the record it should come from, and answered by the matching change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genwright.data.dataset import Dataset
from genwright.evaluation.records import Evaluation, Measured
from genwright.recipes.members import Member
from genwright.recipes.recipe import parse
from genwright.training.diagnose import diagnose
from genwright.training.records import CurvePoint, TrainedModel
from tests import made


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return made.pictures(tmp_path / "data")


@pytest.fixture
def member() -> Member:
    recipe = parse(
        {
            "name": "digits",
            "content": {"kind": "image", "size": [8, 8], "channels": 1},
            "condition": "label",
            "sources": [{"kind": "sklearn", "dataset": "digits"}],
            "accept": {"recognised": {"at_least": 0.9}},
        }
    )
    return recipe.members[0]


def trained(data: Dataset, family: str = "gan", curve: list[tuple[int, float, float, float]] | None = None, **fields: Any):  # type: ignore[no-untyped-def]
    points = [
        CurvePoint(step=step, score=score, train_loss=train, validation_loss=held)
        for step, score, train, held in curve or [(4, 2.0, 1.0, 1.0), (8, 1.0, 0.9, 0.9), (12, 1.0, 0.9, 0.9)]
    ]
    given = {
        "plan": made.plan(data, family, steps=12, steps_left=24),
        "data": "d",
        "path": "p",
        "weights": "w",
        "best_step": 8,
        "kept": "the held-out loss is 0.9 there, the lowest of 3",
        "steps_done": 12,
        "best_score": 1.0,
        "stopped": "budget",
        "curve": points,
        "seconds": 1.0,
        **fields,
    }
    return TrainedModel.model_validate(given)


def evaluation(**values: tuple[float, float | None]) -> Evaluation:
    measures = {
        name: Measured(value=value, low=value - 0.01, high=value + 0.01, n=100, floor=floor)
        for name, (value, floor) in values.items()
    }
    return Evaluation(model="w", evaluation_set="e", code="c", compared_by="mmd", measures=measures)


def test_a_model_within_its_bounds_is_good(data: Dataset, member: Member) -> None:
    found = diagnose(trained(data), evaluation(recognised=(0.95, 0.95)), member, data)
    assert found.finding == "good"
    assert found.next_plan is None


def test_diverged_lowers_the_rate(data: Dataset, member: Member) -> None:
    model = trained(data, stopped="diverged")
    found = diagnose(model, None, member, data)
    assert found.finding == "diverged"
    assert found.next_plan is not None
    assert found.next_plan.learning_rate == model.plan.learning_rate / 4
    assert found.next_plan.round == 2


def test_out_of_memory_takes_a_smaller_model(data: Dataset, member: Member) -> None:
    model = trained(data, stopped="out of memory", plan=made.plan(data, "gan", dial=1.0, steps_left=24))
    found = diagnose(model, None, member, data)
    assert found.finding == "out of memory"
    assert found.next_plan is not None
    assert found.next_plan.candidate.dial == 0.5


def test_copies_of_training_items_are_memorised(data: Dataset, member: Member) -> None:
    found = diagnose(trained(data, "vae"), evaluation(recognised=(0.5, 0.95), copies=(0.4, 0.0)), member, data)
    assert found.finding == "memorised"
    assert found.next_plan is not None
    assert found.next_plan.candidate.config["dropout"] > 0
    assert found.next_plan.weight_decay > 0
    assert found.next_plan.steps < 12


def test_a_family_without_dropout_is_given_none(data: Dataset, member: Member) -> None:
    """A cure that changes nothing is not told of."""
    model = trained(data, "gan")
    found = diagnose(model, evaluation(recognised=(0.5, 0.95), copies=(0.4, 0.0)), member, data)
    assert found.next_plan is not None
    assert found.next_plan.candidate.config == model.plan.candidate.config
    assert found.change is not None
    assert "dropout" not in found.change
    assert found.next_plan.weight_decay > model.plan.weight_decay


def test_missing_kinds_are_a_collapse(data: Dataset, member: Member) -> None:
    model = trained(data)
    found = diagnose(model, evaluation(recognised=(0.5, 0.95), evenness=(0.0, None)), member, data)
    assert found.finding == "collapsed"
    assert found.next_plan is not None
    assert found.next_plan.candidate.config["penalty"] == 3 * model.plan.candidate.config["penalty"]


@pytest.mark.parametrize(
    ("measure", "alarming", "fine", "finding"),
    [
        ("copies", (0.05, 0.0), (0.05, 0.05), "memorised"),
        ("novelty", (0.5, 1.0), (0.9, 1.0), "memorised"),
        ("copied_passage", (900.0, 100.0), (400.0, 100.0), "memorised"),
        ("evenness", (0.05, None), (0.3, None), "collapsed"),
        ("coverage", (0.2, 0.9), (0.5, 0.9), "collapsed"),
        ("variety", (0.2, 1.0), (0.6, 1.0), "collapsed"),
    ],
)
def test_each_measure_says_itself_what_alarms_it(
    measure: str, alarming: tuple[float, float], fine: tuple[float, float], finding: str, data: Dataset, member: Member
) -> None:
    found = diagnose(trained(data), evaluation(recognised=(0.5, 0.95), **{measure: alarming}), member, data)
    assert found.finding == finding
    assert f"{alarming[0]:.0f}" in found.evidence or f"{alarming[0]:.2f}" in found.evidence or "5.0%" in found.evidence
    found = diagnose(trained(data), evaluation(recognised=(0.5, 0.95), **{measure: fine}), member, data)
    assert found.finding == "not good enough"


def test_a_rising_held_out_loss_is_overfitting(data: Dataset, member: Member) -> None:
    curve = [(4, 2.0, 1.0, 1.0), (8, 1.0, 0.6, 0.9), (12, 1.5, 0.1, 1.4)]
    found = diagnose(trained(data, "vae", curve), evaluation(recognised=(0.5, 0.95)), member, data)
    assert found.finding == "overfitted"
    assert found.next_plan is not None
    assert found.next_plan.weight_decay > 0


def test_a_measure_still_moving_is_undertrained(data: Dataset, member: Member) -> None:
    curve = [(4, 4.0, 1.0, 1.0), (8, 3.0, 0.9, 0.9), (12, 2.0, 0.8, 0.8)]
    found = diagnose(trained(data, "vae", curve, best_step=12), evaluation(recognised=(0.5, 0.95)), member, data)
    assert found.finding == "under-trained"
    assert found.next_plan is not None
    assert found.next_plan.steps == 24
    assert found.next_plan.begins == 12  # it goes on, so twelve new steps are spent
    assert found.next_plan.steps_left == 12


def test_rounds_are_bounded(data: Dataset, member: Member) -> None:
    curve = [(4, 4.0, 1.0, 1.0), (8, 3.0, 0.9, 0.9), (12, 2.0, 0.8, 0.8)]
    model = trained(data, "vae", curve, best_step=12)
    model = model.model_copy(update={"plan": model.plan.model_copy(update={"round": 3})})
    found = diagnose(model, evaluation(recognised=(0.5, 0.95)), member, data)
    assert found.finding == "under-trained"
    assert found.next_plan is None


def test_nothing_else_wrong_takes_a_larger_model(data: Dataset, member: Member) -> None:
    found = diagnose(trained(data, "vae"), evaluation(recognised=(0.5, 0.95)), member, data)
    assert found.finding == "not good enough"
    assert found.next_plan is not None
    assert found.next_plan.candidate.cost.parameters > made.plan(data, "vae").candidate.cost.parameters
    assert found.next_plan.begins == 0
