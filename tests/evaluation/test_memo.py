"""What is costly and the same for every model of a data set is computed once: a training, an evaluation, a data version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from genwright.core.record import Part
from genwright.core.workspace import Settings, Workspace
from genwright.data.dataset import Dataset, Kept
from genwright.data.view import Derived, View
from genwright.evaluation import classifier, features, neighbours
from genwright.evaluation.evaluate import evaluate
from genwright.evaluation.memo import Memo, clear
from genwright.evaluation.records import EvaluationSpec, Task
from genwright.training.fit import Fit
from tests import made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the costly things are done."""
    counted: Counter[str] = Counter()

    def count(module: Any, name: str, words: Callable[..., str]) -> None:
        real = getattr(module, name)

        def called(*given: Any, **named: Any) -> Any:
            counted[words(*given, **named)] += 1
            return real(*given, **named)

        monkeypatch.setattr(module, name, called)

    count(features, "learn", lambda *_: "ruler")
    count(classifier, "Judge", lambda *_: "judge")
    count(neighbours, "nearest", lambda *_, **__: "neighbours")
    return counted


def train(data: Dataset, folder: Path, settings: Settings) -> Path:
    for _ in Fit(data, made.plan(data, "vae", steps=12), folder, settings):
        pass
    return folder / "bundle"


def test_a_training_learns_one_ruler_and_the_next_none(tmp_path: Path, calls: Counter[str]) -> None:
    data, settings = made.pictures(tmp_path / "data"), Settings(workspace=tmp_path, threads=1, device="cpu")
    train(data, tmp_path / "one", settings)  # measured three times
    assert calls["ruler"] == 1
    train(data, tmp_path / "two", settings)
    assert calls["ruler"] == 1


def test_an_evaluation_teaches_one_judge_and_keeps_what_it_knows_of_the_data(tmp_path: Path, calls: Counter[str]) -> None:
    data, settings = made.pictures(tmp_path / "data"), Settings(workspace=tmp_path, threads=1, device="cpu")
    bundle = train(data, tmp_path / "fit", settings)
    calls.clear()
    tasks = [Task(name="draw", given=["condition"]), Task(name="anything", given=[])]
    spec, only = EvaluationSpec(tasks=tasks, samples=32), {"recognised", "evenness", "copies", "novelty", "mmd", "coverage"}
    only |= {f"{name}@anything" for name in only}
    first = evaluate(bundle, data, spec, settings, only=only)
    assert set(first.measures) == only
    # Of the held-out items, and of each task's samples, once by novelty and once by copies.
    assert calls == {"judge": 1, "neighbours": 6}
    again = evaluate(bundle, data, spec, settings, only=only)
    assert again.measures == first.measures
    assert calls == {"judge": 1, "neighbours": 10}  # as the champion is measured after a new model, by the same judge


def test_what_is_kept_is_that_of_the_data_and_view(tmp_path: Path) -> None:
    """Other items, another view, or another encoder under the same name: none may find what was kept for the first."""
    one, folder = made.pictures(tmp_path / "one"), tmp_path / "kept"
    small = Derived(part=Part(kind="resized", options={"size": [4, 4]}), of=["content"])
    other = Dataset(one.folder, View(makes="small", derived={"small": small}))
    encoded = [Dataset(one.folder) for _ in range(2)]
    for place, data in enumerate(encoded):
        state = {"mean": [float(place)]}
        data.derived["small"] = Kept(derived=small, shapes={}, state=state)
    every = [one, made.pictures(tmp_path / "more", test=40), other, *encoded]
    for place, data in enumerate(every):
        value = torch.full((1,), float(place))
        assert Memo(data, folder).tensors("x", lambda value=value: {"x": value})["x"] == value  # type: ignore[misc]
    assert Memo(Dataset(one.folder), folder).tensors("x", dict)["x"] == 0.0


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    data, folder = made.pictures(tmp_path / "data"), tmp_path / "kept"
    Memo(data, folder).tensors("x", lambda: {"x": torch.ones(3)})
    [file] = folder.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-4])
    assert Memo(data, folder).tensors("x", lambda: {"x": torch.zeros(3)})["x"].tolist() == [0, 0, 0]
    assert Memo(data, folder).tensors("x", dict)["x"].tolist() == [0, 0, 0]


def test_what_is_held_in_memory_goes_with_what_is_kept(tmp_path: Path) -> None:
    data, settings = made.pictures(tmp_path / "data"), Settings(workspace=tmp_path, threads=1, device="cpu")
    Memo.of(data, settings).once("judge", lambda: 1)
    assert Memo.of(data, settings).once("judge", lambda: 2) == 1
    clear(Workspace(tmp_path))
    assert Memo.of(data, settings).once("judge", lambda: 2) == 2


def test_what_is_kept_is_in_full_precision_whoever_asks(tmp_path: Path) -> None:
    data, a = made.pictures(tmp_path / "data"), torch.randn(8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Memo(data).tensors("x", lambda: {"x": a @ a})["x"]
    assert found.dtype == torch.float32
    assert torch.equal(found, a @ a)
