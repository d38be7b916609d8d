"""Evaluations: of equal terms for all, and of each model as it serves."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from genwright.core import stored
from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation.evaluate import evaluand, evaluate, evaluation_set, score
from genwright.evaluation.metrics.base import metrics, ranked
from genwright.evaluation.records import EvaluationSpec
from genwright.models import bundle
from genwright.models.architectures.base import build_model
from genwright.training.fit import Fit
from tests import made

IMAGE = Part(kind="image", options={"size": [8, 8], "channels": 1})
TEXT = Part(kind="text", options={"vocab": 300, "length": 16})
LABEL = Part(kind="label")


def test_a_model_is_measured_with_its_own_sampling_options(tmp_path: Path) -> None:
    """Not with those of the recipe it is compared under: the champion is judged by what it serves."""
    data, settings = made.pictures(tmp_path / "data"), Settings(workspace=tmp_path, threads=1, device="cpu")
    for _ in Fit(data, made.plan(data, "vae", steps=20), tmp_path / "fit", settings):
        pass
    lively = tmp_path / "fit" / "bundle"
    still = shutil.copytree(lively, tmp_path / "still")
    info = bundle.info(still)
    plan = info.plan.model_copy(update={"sampling": {"temperature": 0}})  # every sample of a label is the same
    stored.write(still / bundle.INFO, info.model_copy(update={"plan": plan}))
    bundle.seal(still)
    spec = EvaluationSpec(samples=64)
    one, other = (evaluate(folder, data, spec, settings, only={"mmd", "coverage"}) for folder in (lively, still))
    assert one.model == other.model
    assert one.evaluation_set == other.evaluation_set
    assert other.measures["mmd"].value > one.measures["mmd"].value
    assert evaluate(still, data, spec, settings, only={"mmd"}).measures["mmd"] == other.measures["mmd"]


def test_the_same_items_with_other_captions_are_another_evaluation_set(tmp_path: Path) -> None:
    """Two evaluations compare only where models were asked the same; the order of columns is no difference."""
    spec = EvaluationSpec(samples=8)
    one = made.dataset(tmp_path / "one", IMAGE, caption=TEXT, label=LABEL)
    same = made.dataset(tmp_path / "same", IMAGE, label=LABEL, caption=TEXT)
    other = made.dataset(tmp_path / "other", IMAGE, caption=TEXT, label=LABEL, lack={"caption": 5})
    assert (one.test.digests[:, 0] == other.test.digests[:, 0]).all()
    assert evaluation_set(one, spec) == evaluation_set(same, spec)
    assert evaluation_set(one, spec) != evaluation_set(other, spec)


def asked(data: Dataset, count: int) -> list[dict[str, Tensor]]:
    """What the samples of an evaluation are given."""
    model = build_model("vae", made.plan(data, "vae").candidate.config, data.signature)
    subject = evaluand(model, data, side="test", count=count, sampling={}, seed=3, device="cpu")
    assert len({ask.key for ask in subject.asks}) == count
    return [dict(ask.given) for ask in subject.asks]


def test_where_a_label_is_all_that_is_given_each_class_is_asked_for_as_often(tmp_path: Path) -> None:
    """Also where items are few, or lack it."""
    data = made.dataset(tmp_path / "data", IMAGE, kind=LABEL, lack={"kind": 3})
    assert Counter(int(given["kind"]) for given in asked(data, 40)) == {0: 10, 1: 10, 2: 10, 3: 10}


def test_samples_are_asked_for_as_the_held_out_items_are_given(tmp_path: Path) -> None:
    """In an order that is random and always the same, and again from the first; what an item lacks is not asked for."""
    data = made.dataset(tmp_path / "data", IMAGE, caption=TEXT, kind=LABEL, lack={"caption": 3})
    found, held = asked(data, 40), data.test.given(data.test.subset(len(data.test)))
    for place, given in enumerate(found):
        row = place % len(data.test)
        assert ("caption" in given) == bool(held["caption"].present[row])
        assert all(torch.equal(value, held[name].value[row]) for name, value in given.items())
    assert {frozenset(given) for given in found} == {frozenset({"kind"}), frozenset({"caption", "kind"})}


@pytest.mark.parametrize(("content", "given"), [("image", ()), ("image", ("caption",)), ("text", ()), ("text", ("kind",))])
def test_families_are_compared_by_one_measure_that_can_be_taken(
    content: str, given: tuple[str, ...], tmp_path: Path, settings: Settings
) -> None:
    """Of a model of any signature, and its evaluation says by which."""
    parts, family = {"caption": TEXT, "kind": LABEL}, {"image": "vae", "text": "gpt"}[content]
    data = made.dataset(tmp_path / "data", {"image": IMAGE, "text": TEXT}[content], **{name: parts[name] for name in given})
    plan = made.plan(data, family)
    bundle.save(tmp_path / "model", build_model(family, plan.candidate.config, data.signature), data, plan=plan, data="d")
    measured = evaluate(tmp_path / "model", data, EvaluationSpec(samples=32), settings)
    assert measured.compared_by in measured.measures
    assert metrics.get(measured.compared_by) is ranked(data.signature)
    untaken = set(metrics.all()) - set(measured.measures)
    assert set(measured.unmeasured) == untaken
    assert all(measured.unmeasured.values())


def test_a_held_out_measure_is_given_what_the_plan_says(tmp_path: Path) -> None:
    """What a round is stopped and ranked by is the first task, not one that gives the answer away."""
    data = made.pictures(tmp_path / "data")
    plan = made.plan(data, "vae")
    torch.manual_seed(0)
    model = build_model(plan.candidate.family, plan.candidate.config, data.signature)
    plans = [plan.model_copy(update={"asked": asked}) for asked in (None, ["condition"], [])]
    by_default, by_label, by_nothing = (score(model, data, one, side="validation", device="cpu").measured for one in plans)
    assert by_default == by_label != by_nothing
