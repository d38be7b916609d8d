"""The samples a person is shown are those that were measured, drawn once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation import evaluate as measuring
from genwright.evaluation import kept
from genwright.evaluation.records import EvaluationSpec, Task
from genwright.reports import gallery
from genwright.training.fit import Fit
from tests import made

TASKS = [Task(name="draw", given=["condition"]), Task(name="anything", given=[])]
SPEC = EvaluationSpec(tasks=TASKS, samples=40)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return made.pictures(tmp_path / "data")


@pytest.fixture
def bundle(tmp_path: Path, data: Dataset) -> Path:
    settings = Settings(workspace=tmp_path, threads=1, device="cpu")
    for _ in Fit(data, made.plan(data, "vae", steps=2), tmp_path / "fit", settings):
        pass
    measuring.evaluate(tmp_path / "fit" / "bundle", data, SPEC, settings, samples=tmp_path / "samples")
    return tmp_path / "fit" / "bundle"


def test_what_was_measured_is_shown_and_not_drawn_again(
    tmp_path: Path, data: Dataset, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = gallery.gather(bundle, data, SPEC, "cpu", {})

    def no_model(*_: object, **__: object) -> object:
        raise AssertionError("the model is opened")

    monkeypatch.setattr(gallery, "opened_evaluand", no_model)
    shown = gallery.gather(bundle, data, SPEC, "cpu", {}, samples=tmp_path / "samples")
    assert len(shown.values) == 40
    for one, other in zip(shown.values, drawn.values, strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1  # as many are drawn together as there were then
    assert [one.caption for one in shown.samples] == [one.caption for one in drawn.samples]
    assert shown.samples[0].caption != ""


def test_samples_of_another_model_or_evaluation_are_not_shown(tmp_path: Path, data: Dataset, bundle: Path) -> None:
    file, items = tmp_path / "samples", measuring.evaluation_set(data, SPEC)
    model = measuring.composition.identity(bundle)
    first, second = (kept.recall(file, model, items, task) for task in ("", "anything"))
    assert first is not None
    assert second is not None
    assert not torch.equal(first, second)
    assert kept.recall(file, "other", items) is None
    assert kept.recall(file, model, "other") is None
    assert kept.recall(file, model, items, "complete") is None
    file.write_bytes(file.read_bytes()[:-7])
    assert kept.recall(file, model, items) is None
    assert len(gallery.gather(bundle, data, SPEC, "cpu", {}, samples=file).values) == 40  # then they are drawn again
