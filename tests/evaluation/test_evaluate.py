"""Evaluations: of equal terms for all, and of each model as it serves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.evaluation.evaluate import evaluate, evaluation_set
from genwright.evaluation.records import EvaluationSpec
from genwright.models import bundle
from genwright.training.fit import Fit
from tests import made


def test_a_model_is_measured_with_its_own_sampling_options(tmp_path: Path) -> None:
    """Not with those of the recipe it is compared under: the champion is judged by what it serves."""
    data, settings = made.pictures(tmp_path / "data"), Settings(workspace=tmp_path, threads=1, device="cpu")
    for _ in Fit(data, made.plan(data, "vae", steps=20), tmp_path / "fit", settings):
        pass
    lively = tmp_path / "fit" / "bundle"
    still = shutil.copytree(lively, tmp_path / "still")
    info = json.loads((still / bundle.INFO).read_text())
    info["plan"]["sampling"] = {"temperature": 0}  # every sample of a label is the same
    (still / bundle.INFO).write_text(json.dumps(info))
    bundle.seal(still)
    spec = EvaluationSpec(samples=64)
    one, other = (evaluate(folder, data, spec, settings, only={"mmd", "coverage"}) for folder in (lively, still))
    assert one.model == other.model
    assert one.evaluation_set == other.evaluation_set
    assert other.measures["mmd"].value > one.measures["mmd"].value
    assert evaluate(still, data, spec, settings, only={"mmd"}).measures["mmd"] == other.measures["mmd"]


def test_the_same_items_with_other_captions_are_another_evaluation_set(tmp_path: Path) -> None:
    """Two evaluations compare only where models were asked the same; the order of columns is no difference."""
    spec, image = EvaluationSpec(samples=8), Part(kind="image", options={"size": [8, 8], "channels": 1})
    label, text = Part(kind="label"), Part(kind="text", options={"vocab": 300, "length": 16})
    one = made.dataset(tmp_path / "one", image, caption=text, label=label)
    same = made.dataset(tmp_path / "same", image, label=label, caption=text)
    other = made.dataset(tmp_path / "other", image, caption=text, label=label, lack={"caption": 5})
    assert (one.test.digests[:, 0] == other.test.digests[:, 0]).all()
    assert evaluation_set(one, spec) == evaluation_set(same, spec)
    assert evaluation_set(one, spec) != evaluation_set(other, spec)
