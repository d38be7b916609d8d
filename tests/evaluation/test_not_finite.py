"""What is not a number is no result: not a sample, not a loss, not a measure, whatever else passes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from genwright.core.errors import NotFinite
from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation.bounds import FINITE, absolute
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.evaluate import evaluate
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import Evaluation, EvaluationSpec, Measured
from genwright.lifecycle.gate import judge
from genwright.lifecycle.tryout import rehearse
from genwright.models import bundle
from genwright.models.architectures.base import SampleOptions
from genwright.recipes.recipe import parse
from genwright.sampling.model import Model
from genwright.sampling.sampler import Ask
from genwright.training.diagnose import diagnose
from genwright.training.fit import Fit
from tests import made

RECIPE = parse(
    {
        "name": "r",
        "content": {"kind": "image", "size": [8, 8], "channels": 1},
        "condition": "label",
        "sources": [{"kind": "sklearn", "dataset": "digits"}],
    }
)
SPEC = EvaluationSpec(samples=32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made.pictures(tmp_path_factory.mktemp("pictures") / "data")


def spoilt(data: Dataset, folder: Path, family: str, settings: Settings) -> Path:
    """A trained bundle of which some weights are no numbers; the loss it was kept by was one."""
    fit = Fit(data, made.plan(data, family, steps=4), folder, settings)
    for _ in fit:
        pass
    model = bundle.load(folder / "bundle", "cpu")
    with torch.no_grad():
        for parameter in model.model.parameters():
            parameter.view(-1)[0] = math.nan
    bundle.save(folder / "bundle", model.model, data, plan=fit.plan, data="")
    return folder / "bundle"


@pytest.mark.parametrize("family", ["vae", "gan", "diffusion"])
def test_a_model_whose_samples_are_no_numbers_is_no_result(
    family: str, data: Dataset, tmp_path: Path, settings: Settings
) -> None:
    folder = spoilt(data, tmp_path / "fit", family, settings)
    found = evaluate(folder, data, SPEC, settings)
    assert "not finite" in found.faults[0]
    assert "mmd" not in found.measures
    assert "not finite" in found.unmeasured["mmd"]
    decision = judge(found, None, RECIPE)  # which asks for nothing
    assert not decision.promote
    assert {verdict.name for verdict in decision.verdicts} == {FINITE}
    with pytest.raises(NotFinite):
        rehearse(folder)
    with pytest.raises(NotFinite):
        Model(folder).generate(2)


def test_training_answers_with_a_lower_rate(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    fit = Fit(data, made.plan(data, "vae", steps=4, steps_left=8), tmp_path / "fit", settings)
    for _ in fit:
        pass
    evaluation = evaluate(spoilt(data, tmp_path / "other", "vae", settings), data, SPEC, settings)
    found = diagnose(fit.result, evaluation, RECIPE.members[0], data)
    assert found.finding == "diverged"
    assert found.next_plan is not None
    assert found.next_plan.learning_rate == fit.plan.learning_rate / 4


def test_a_text_drawn_from_logits_that_are_no_numbers_is_no_text(tmp_path: Path, settings: Settings) -> None:
    texts = made.dataset(tmp_path / "texts", Part(kind="text", options={"vocab": 300, "length": 16}))
    folder = spoilt(texts, tmp_path / "fit", "gpt", settings)
    with pytest.raises(NotFinite):
        Model(folder).generate(1)


def subject(data: Dataset, samples: Tensor) -> Evaluand:
    def draw(asks: Sequence[Ask]) -> Tensor:
        return samples[: len(asks)]

    return Evaluand(data.signature, data, "test", len(samples), 0, SampleOptions(), draw)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_measure_that_is_no_number_fails_every_bound_and_the_gate(value: float) -> None:
    measured = Measured(value=value, low=value, high=value, n=32)
    assert not measured.finite
    found = Evaluation(
        model="m", evaluation_set="e", code="c", compared_by="mmd", measures={}, faults=["mmd is nan, which is no number."]
    )
    assert not any(verdict.passed for verdict in absolute(found, {}))


def test_an_evaluation_names_the_measure_that_is_none(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Fit(data, made.plan(data, "vae", steps=4), tmp_path / "fit", settings)
    for _ in fit:
        pass
    real = metrics.get("novelty").measure
    monkeypatch.setattr(
        metrics.get("novelty"), "measure", lambda self, evaluand: real(self, evaluand).model_copy(update={"value": math.nan})
    )
    found = evaluate(tmp_path / "fit" / "bundle", data, SPEC, settings)
    assert found.faults == ["novelty is nan, which is no number."]
    assert "novelty" not in found.measures
    assert "mmd" in found.measures


def test_samples_are_drawn_once_though_they_are_none(data: Dataset) -> None:
    """Every measure asks for them, and none gets them."""
    count = 0

    def draw(asks: Sequence[Ask]) -> Tensor:
        nonlocal count
        count += 1
        raise NotFinite("none")

    asked = replace(subject(data, torch.zeros(32, 1, 8, 8)), draw=draw)
    for _ in range(3):
        with pytest.raises(NotFinite):
            _ = asked.samples
    assert count == 1
    assert not asked.drawn
