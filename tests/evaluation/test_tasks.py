"""One model measured at several tasks: each is asked with its own columns and judged by what suits it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.data.columns import Integers
from genwright.data.dataset import Dataset
from genwright.data.view import Derived, View, Wanted
from genwright.evaluation.bounds import Bound, absolute
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.evaluate import evaluate, evaluation_set, tasked
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import EvaluationSpec, Measured, Task, tag, tagged
from genwright.models.architectures.base import SampleOptions, build_model
from genwright.sampling.sampler import Ask
from genwright.training.fit import Fit
from tests import made

DRAW, COMPLETE = Task(name="draw", given=["condition"]), Task(name="complete", given=["condition", "known", "known_mask"])
VIEW = View(
    makes="content",
    given={"condition": Wanted(), "known": Wanted(optional=True), "known_mask": Wanted(optional=True)},
    derived={"known": Derived(part=Part(kind="masked"), of=["content"])},
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(made.pictures(tmp_path_factory.mktemp("data") / "pictures").folder, VIEW)


def subject(data: Dataset, samples: Tensor, seen: list[Ask] | None = None) -> Evaluand:
    """A model that makes these, whatever it is asked."""

    def draw(asks: Sequence[Ask]) -> Tensor:
        if seen is not None:
            seen.extend(asks)
        return samples

    return Evaluand(data.signature, data, "test", len(samples), 0, SampleOptions(), draw)


def real(data: Dataset) -> Tensor:
    """The held-out items in the order in which samples are asked for like them."""
    return data.test.contents(order(data))


def order(data: Dataset) -> Integers:
    return data.test.subset(len(data.test))


def psnr(evaluand: Evaluand) -> Measured:
    metric = metrics.get("psnr")()
    assert metric.applies(evaluand) is None
    return metric.measure(evaluand)


def test_a_task_is_asked_with_its_own_columns_alone(data: Dataset) -> None:
    seen: list[Ask] = []
    for asked, reason in tasked(subject(data, real(data), seen), [DRAW, COMPLETE]):
        assert reason is None
        _ = asked.samples
    n = len(data.test)
    assert [set(ask.given) for ask in seen] == [set(DRAW.given)] * n + [set(COMPLETE.given)] * n
    assert [int(ask.given["condition"]) for ask in seen[:8]] == [0, 1, 2, 3, 0, 1, 2, 3]  # classes in equal shares
    held = data.test.given(order(data))["condition"].value
    assert [int(ask.given["condition"]) for ask in seen[n:]] == held.tolist()  # what belongs to the masked picture


def test_every_task_has_its_measures_and_the_first_has_plain_names(data: Dataset, tmp_path: Path) -> None:
    settings = Settings(workspace=tmp_path, threads=1, device="cpu")
    plan = made.plan(data, "diffusion", steps=2, sampling={"steps": 2})
    for _ in Fit(data, plan, tmp_path / "fit", settings):
        pass
    spec, keys = EvaluationSpec(tasks=[DRAW, COMPLETE], samples=32), ("mmd", "psnr", "mmd@complete", "psnr@complete")
    found = evaluate(tmp_path / "fit" / "bundle", data, spec, settings, only=keys)
    assert set(found.measures) == {"mmd", "mmd@complete", "psnr@complete"}
    assert "nothing is given over the same axes" in found.unmeasured["psnr"]
    [verdict] = absolute(found, {"psnr@complete": Bound(at_least=99)})
    assert not verdict.passed
    assert verdict.value == found.measures["psnr@complete"].value
    swapped = EvaluationSpec(tasks=[COMPLETE, DRAW], samples=32)
    assert evaluation_set(data, swapped) != evaluation_set(data, spec)
    other = evaluate(tmp_path / "fit" / "bundle", data, swapped, settings, only={"mmd", "mmd@draw"})
    assert other.measures["mmd"] == found.measures["mmd@complete"]
    assert other.measures["mmd@draw"] == found.measures["mmd"]


def test_a_model_that_does_not_know_a_column_cannot_be_asked_with_it(data: Dataset, tmp_path: Path) -> None:
    """The champion of a recipe that has gained a task since: that is said, and is no error."""
    plain, settings = Dataset(data.folder), Settings(workspace=tmp_path, threads=1, device="cpu")
    for _ in Fit(plain, made.plan(plain, "vae", steps=2), tmp_path / "fit", settings):
        pass
    spec = EvaluationSpec(tasks=[DRAW, COMPLETE], samples=32)
    found = evaluate(tmp_path / "fit" / "bundle", plain, spec, settings, only={"mmd", "mmd@complete"})
    assert list(found.measures) == ["mmd"]
    assert found.unmeasured == {"mmd@complete": "the model is not given known, known_mask"}


def test_what_was_left_visible_does_not_count(data: Dataset) -> None:
    """Off by a tenth where hidden, by a lot where not: only the tenth shows."""
    x, keep = real(data), data.test.given(order(data))["known_mask"].value
    wrong = x - 0.1 * x.sign() * (1 - keep) - 0.9 * x.sign() * keep
    [_, (asked, _)] = tasked(subject(data, wrong), [DRAW, COMPLETE])
    assert psnr(asked).value == pytest.approx(10 * math.log10(4 / 0.01), abs=1e-3)
    [_, (perfect, _)] = tasked(subject(data, x), [DRAW, COMPLETE])
    assert psnr(perfect).value == pytest.approx(106.02, abs=0.01)


def test_it_says_how_each_class_and_each_way_of_asking_fares(tmp_path: Path) -> None:
    """Off by twice as much in class after class: 6 dB each; and where only some items have a label, both kinds are told."""
    image = Part(kind="image", options={"size": [8, 8], "channels": 1})
    folder = made.dataset(tmp_path / "some", image, condition=Part(kind="label"), lack={"condition": 4}).folder
    data = Dataset(folder, VIEW)
    x, rows = real(data), order(data)
    labels = data.test.given(rows)["condition"]
    wrong = x - 0.05 * x.sign() * 2.0 ** labels.value.view(-1, 1, 1, 1)
    [_, (asked, _)] = tasked(subject(data, wrong), [DRAW, COMPLETE])
    groups = psnr(asked).groups
    names = data.contents.columns["condition"].labels or []
    by_class = [groups[f"condition={name}"] for name in names if f"condition={name}" in groups]
    assert len(by_class) > 1
    expected = [10 * math.log10(4 / (0.05 * 2**place) ** 2) for place in sorted(set(labels.value[labels.present].tolist()))]
    assert by_class == pytest.approx(expected, abs=1e-3)
    assert groups["known+known_mask"] == pytest.approx(expected[0], abs=1e-3)  # those without a label have zero there
    several = labels.value[labels.present].numpy()
    mean = float(np.mean([10 * math.log10(4 / (0.05 * 2**place) ** 2) for place in several]))
    assert groups["condition+known+known_mask"] == pytest.approx(mean, abs=1e-3)


def test_a_model_that_encodes_is_measured_by_what_it_gives_back(data: Dataset) -> None:
    plain = Dataset(data.folder, View(makes="content"))
    torch.manual_seed(0)
    plan = made.plan(plain, "vae")
    vae = build_model("vae", plan.candidate.config, plain.signature).eval()
    one = Evaluand(plain.signature, plain, "test", 32, 0, SampleOptions(), lambda asks: torch.zeros(()), model=vae)
    with torch.no_grad():
        back = vae.decode("content", vae.encode("content", real(plain)))  # type: ignore[operator]
        error = (back.clamp(-1, 1) - real(plain)).square().flatten(1).mean(dim=1)
        assert psnr(one).value == pytest.approx(float((10 * (4 / error).log10()).mean()), rel=1e-4)


def test_names_of_tags_take_no_at_sign_and_are_read_back() -> None:
    tags = {tag("mmd"): "1", tag("psnr@complete"): "20", "genwright.weights": "x"}
    assert not any("@" in name for name in tags)
    assert tagged(tags) == {"mmd": "1", "psnr@complete": "20"}
