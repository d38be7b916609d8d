"""The training loop: resuming to the same bits, surviving damage, bad numbers and too little memory."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from genwright.core.batch import Batch
from genwright.core.errors import GenwrightError
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.models import bundle
from genwright.models.architectures.vae import Vae
from genwright.models.records import Plan
from genwright.training import checkpoint
from genwright.training.fit import BAD_IN_A_ROW, Fit
from genwright.training.records import Progress
from tests import made

FAMILIES = ["gan", "vae", "diffusion"]


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return made.pictures(tmp_path / "data")


def run(data: Dataset, plan: Plan, folder: Path, settings: Settings, until: int | None = None) -> Fit:
    fit = Fit(data, plan, folder, settings, data="d", until=until)
    for _ in fit:
        pass
    return fit


@pytest.mark.parametrize("family", FAMILIES)
def test_stopped_anywhere_it_ends_with_the_same_bits(family: str, data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, family)
    whole = run(data, plan, tmp_path / "whole", settings).result
    for stop in (1, 5, 8, 11):
        folder = tmp_path / f"stopped-{stop}"
        points: Iterator[object] = iter(Fit(data, plan, folder, settings, data="d"))
        for _ in range(stop):
            next(points)
        points.close()  # type: ignore[attr-defined]
        resumed = run(data, plan, folder, settings).result
        assert resumed.weights == whole.weights
        assert [p.score for p in resumed.curve] == [p.score for p in whole.curve]


def test_another_seed_gives_other_weights(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    first = run(data, made.plan(data, "vae"), tmp_path / "a", settings).result
    second = run(data, made.plan(data, "vae", seed=1), tmp_path / "b", settings).result
    assert first.weights != second.weights


CHILD = """
import sys
from pathlib import Path
import genwright.training.fit
from genwright.data.dataset import Dataset
from genwright.models.records import Plan
from genwright.core.workspace import Settings
genwright.training.fit.SAVE_EVERY = 0.0
root = Path(sys.argv[1])
plan = Plan.model_validate_json((root / "plan.json").read_text())
settings = Settings(workspace=root, threads=1)
for point in genwright.training.fit.Fit(Dataset(root / "data"), plan, root / "run", settings, data="d"):
    print(point.step, flush=True)
"""


def test_killed_at_any_instant_it_ends_with_the_same_bits(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae", steps=60)
    whole = run(data, plan, tmp_path / "whole", settings).result
    (tmp_path / "plan.json").write_text(plan.model_dump_json())
    for attempt, kill_after in enumerate((4, 11, 23)):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= kill_after:
                break
        time.sleep(0.003 * attempt)  # into the middle of a step, or of writing a checkpoint
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert checkpoint.steps(tmp_path / "run" / "checkpoints")[-1] >= 4
    assert run(data, plan, tmp_path / "run", settings).result.weights == whole.weights


def test_a_damaged_checkpoint_is_passed_over_and_said(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae")
    whole = run(data, plan, tmp_path / "whole", settings).result
    folder = tmp_path / "run"
    points = iter(Fit(data, plan, folder, settings, data="d"))
    for _ in range(9):
        next(points)
    points.close()  # type: ignore[attr-defined]
    newest = checkpoint.steps(folder / "checkpoints")[-1]
    victim = folder / "checkpoints" / f"{newest:09d}" / "tensors.safetensors"
    data_bytes = bytearray(victim.read_bytes())
    data_bytes[-1] ^= 1
    victim.write_bytes(bytes(data_bytes))
    fit = run(data, plan, folder, settings)
    assert fit.result.weights == whole.weights
    assert any(str(newest) in note and "damaged" in note for note in fit.notes)


def test_a_full_disk_keeps_the_last_checkpoint(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = made.plan(data, "vae")
    points = iter(Fit(data, plan, tmp_path / "run", settings, data="d"))
    for _ in range(5):
        next(points)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save_file", full)
        with pytest.raises(GenwrightError, match="disk is full"):
            for _ in points:
                pass
    assert checkpoint.newest(tmp_path / "run" / "checkpoints", Progress) == (4, [])


def test_two_trainers_on_one_run_are_refused(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae")
    first = iter(Fit(data, plan, tmp_path / "run", settings))
    next(first)
    with pytest.raises(GenwrightError, match="Another process is training"):
        next(iter(Fit(data, plan, tmp_path / "run", settings)))
    first.close()  # type: ignore[attr-defined]


def poison(monkeypatch: pytest.MonkeyPatch, bad: range) -> None:
    """Make the loss of some steps not a number; `bad` counts calls of the training loss."""
    honest, calls = Vae.loss, iter(range(10_000))

    def loss(self: Vae, batch: Batch, player: str) -> Tensor:
        value = honest(self, batch, player)
        return value * math.nan if self.training and next(calls) in bad else value

    monkeypatch.setattr(Vae, "loss", loss)


def test_a_bad_batch_changes_nothing_and_is_counted(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, range(2, 4))
    fit = run(data, made.plan(data, "vae"), tmp_path / "run", settings)
    assert fit.result.stopped == "budget"
    assert fit.result.curve[-1].skipped == 2
    assert all(torch.isfinite(t).all() for t in bundle.load_file(tmp_path / "run/bundle/weights.safetensors").values())


def test_bad_updates_in_a_row_roll_back_and_then_end_the_round(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, range(6, 6 + BAD_IN_A_ROW))
    fit = run(data, made.plan(data, "vae", steps=24), tmp_path / "once", settings)
    assert fit.result.stopped == "budget"
    assert any("back to step 4 at half the rate" in note for note in fit.notes)
    poison(monkeypatch, range(6, 10_000))
    assert run(data, made.plan(data, "vae", steps=60), tmp_path / "always", settings).result.stopped == "diverged"


def test_too_little_memory_halves_the_micro_batch(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, largest = Vae.loss, [4]

    def loss(self: Vae, batch: Batch, player: str) -> Tensor:
        if self.training and len(batch) > largest[0]:
            raise torch.OutOfMemoryError("no memory left")
        return honest(self, batch, player)

    plan = made.plan(data, "vae")
    monkeypatch.setattr(Vae, "loss", loss)
    fit = run(data, plan, tmp_path / "some", settings)
    assert fit.progress.accumulate == 4
    assert fit.result.steps_done == 12
    largest[0] = 0
    assert run(data, plan, tmp_path / "none", settings).result.stopped == "out of memory"


def test_early_stopping_keeps_the_best(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae", steps=400, learning_rate=0.5, patience=2)
    result = run(data, plan, tmp_path / "run", settings).result
    assert result.stopped in ("early", "diverged")
    assert result.steps_done < 400
    scores = [p.score for p in result.curve if p.score is not None]
    assert result.best_score == min(scores)


def test_a_race_pauses_and_goes_on(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "gan", steps=12)
    fit = run(data, plan, tmp_path / "run", settings, until=6)
    assert fit.progress.step == 6
    assert fit.last_score is not None
    assert not fit.finished
    assert run(data, plan, tmp_path / "run", settings, until=12).result.steps_done == 12
