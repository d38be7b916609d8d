"""The training loop: resuming to the same bits, surviving damage, pausing and going on."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from genwright.core.errors import GenwrightError
from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.models.layers.transformer import Block
from genwright.models.records import Plan
from genwright.training import checkpoint, held_out, saving
from genwright.training.fit import Fit
from genwright.training.progress import Progress
from genwright.training.saving import Saver
from tests import made

FAMILIES = ["gan", "vae", "diffusion"]


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
from genwright.training import saving
from genwright.data.dataset import Dataset
from genwright.models.records import Plan
from genwright.core.workspace import Settings
saving.SAVE_EVERY, saving.SHARE = 0.0, float("inf")
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
    for attempt, kill_after in enumerate((4, 8, 11, 16, 23)):
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


@pytest.mark.parametrize("at", range(1, 9))
def test_what_a_crash_leaves_half_written_does_not_bear_on_the_bits(
    at: int, data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash before or after every flush of a file or folder: of best weights, of a checkpoint, of what is pruned then."""
    plan, moments = made.plan(data, "vae"), itertools.count(1)
    whole = run(data, plan, tmp_path / "whole", settings).result
    honest = checkpoint.sync

    def crash(path: Path) -> None:
        if next(moments) == at:
            raise KeyboardInterrupt("the machine is gone")
        honest(path)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "sync", crash)
        patched.setattr(Saver, "due", lambda self, evaluated: self.flush() is None and evaluated)
        with pytest.raises(KeyboardInterrupt):
            run(data, plan, tmp_path / "run", settings)
    resumed = run(data, plan, tmp_path / "run", settings)
    assert resumed.result.weights == whole.weights
    assert [p.name for p in (tmp_path / "run" / "checkpoints").glob(".*")] == []


def flip(file: Path) -> None:
    """Alter the last bit of a file."""
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def test_a_damaged_checkpoint_is_passed_over_and_said(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae")
    whole = run(data, plan, tmp_path / "whole", settings).result
    folder = tmp_path / "run"
    points = iter(Fit(data, plan, folder, settings, data="d"))
    for _ in range(9):
        next(points)
    points.close()  # type: ignore[attr-defined]
    newest = checkpoint.steps(folder / "checkpoints")[-1]
    flip(folder / "checkpoints" / f"{newest:09d}.safetensors")
    fit = run(data, plan, folder, settings)
    assert fit.result.weights == whole.weights
    assert any(str(newest) in note and "damaged" in note for note in fit.notes)


def test_a_full_disk_keeps_the_last_checkpoint(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Fit(data, made.plan(data, "vae"), tmp_path / "run", settings, data="d")
    points = iter(fit)
    for _ in range(5):
        next(points)
    fit.saver.flush()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save_file", full)
        with pytest.raises(GenwrightError, match="disk is full"):
            for _ in points:
                pass
    found, damaged = checkpoint.newest(tmp_path / "run" / "checkpoints")
    assert found is not None
    assert (found.progress.step, damaged) == (4, [])


def test_a_disk_that_is_full_for_safetensors_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes from Rust, whose errors are no OSError."""

    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(GenwrightError, match="disk is full"):
        checkpoint.save(tmp_path, Progress(step=1), {"a": torch.zeros(1)})
    assert not list(tmp_path.iterdir())


def test_best_weights_lie_in_one_file_for_all_checkpoints(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    """A checkpoint whose best weights are damaged is damaged; those that nothing refers to any more are gone."""
    plan, root = made.plan(data, "vae", steps=24), tmp_path / "run" / "checkpoints"
    whole = run(data, plan, tmp_path / "whole", settings).result
    points = iter(Fit(data, plan, tmp_path / "run", settings, data="d"))
    for _ in range(18):
        next(points)
    points.close()  # type: ignore[attr-defined]
    found, _ = checkpoint.newest(root)
    assert found is not None
    assert found.best
    assert not any(name.startswith("best") for name in found.tensors)
    best = {f"best-{found.progress.best_step:09d}.safetensors"}
    assert best <= {p.name for p in root.glob("best-*")}
    assert len(list(root.glob("best-*"))) <= len(checkpoint.steps(root))
    flip(root / best.pop())
    fit = run(data, plan, tmp_path / "run", settings)
    assert any("damaged" in note for note in fit.notes)
    assert fit.result.weights == whole.weights


def test_checkpoints_keep_within_their_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(saving.time, "monotonic", lambda: clock[0])
    honest = checkpoint.save

    def slow(*given: Any) -> None:
        honest(*given)
        clock[0] += 3.0  # seconds of a slow disk

    monkeypatch.setattr(checkpoint, "save", slow)
    saver, progress = Saver(tmp_path), Progress(step=1)
    assert saver.due(evaluated=True)
    assert not saver.due(evaluated=False)
    saver.save(progress, {"a": torch.zeros(1)}, {})
    saver.flush()
    clock[0] = 99.0
    assert not saver.due(evaluated=True)
    clock[0] = 101.0
    assert saver.due(evaluated=True)
    saver.close()


def test_what_is_saved_is_the_moment_and_not_what_comes_after(tmp_path: Path) -> None:
    saver, weights = Saver(tmp_path), torch.zeros(1 << 20)
    saver.save(Progress(step=1), {"a": weights}, {})
    weights += 1
    saver.close()
    found = checkpoint.load(tmp_path, 1)
    assert found is not None
    assert not found.tensors["a"].any()


def test_two_trainers_on_one_run_are_refused(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae")
    first = iter(Fit(data, plan, tmp_path / "run", settings))
    next(first)
    with pytest.raises(GenwrightError, match="Another process is training"):
        next(iter(Fit(data, plan, tmp_path / "run", settings)))
    first.close()  # type: ignore[attr-defined]


def test_early_stopping_keeps_the_best(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae", steps=400, learning_rate=0.5, patience=2)
    result = run(data, plan, tmp_path / "run", settings).result
    assert result.stopped in ("early", "diverged")
    assert result.steps_done < 400
    losses = {p.step: p.validation_loss for p in result.curve if p.validation_loss is not None}
    assert losses[result.best_step] == min(losses.values())
    assert result.kept.startswith("the held-out loss is ")


def test_a_race_pauses_and_goes_on(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "gan", steps=12)
    fit = run(data, plan, tmp_path / "run", settings, until=6)
    assert fit.progress.step == 6
    assert fit.last_score is not None
    assert not fit.finished
    assert run(data, plan, tmp_path / "run", settings, until=12).result.steps_done == 12


def test_a_round_goes_on_from_the_race_as_if_it_had_begun_with_it(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    """The race's steps are the first ones of the round: the same batches at the same rates, bit for bit."""
    plan = made.plan(data, "vae", steps=24, warmup=2)
    racer = plan.model_copy(update={"steps": 8, "decay": 0.0, "evaluate_every": 9})
    run(data, racer, tmp_path / "race", settings)
    ends = {}
    for name, begins in (("whole", 0), ("goes on", 8)):
        wanted = plan.model_copy(update={"begins": begins})
        fit = Fit(data, wanted, tmp_path / name, settings, data="d", origin=tmp_path / "race")
        assert len(list(fit)) == 24 - begins
        assert fit.result.steps_done == 24
        assert fit.result.curve[0].step == 1
        found = checkpoint.load(tmp_path / name / "checkpoints", 24)
        assert found is not None
        ends[name] = found.tensors
    assert ends["whole"].keys() == ends["goes on"].keys()
    assert all(torch.equal(tensor, ends["goes on"][name]) for name, tensor in ends["whole"].items())


def test_a_round_that_goes_on_and_is_stopped_ends_with_the_same_bits(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    first = made.plan(data, "diffusion", steps=8)
    plan = first.model_copy(update={"steps": 20, "begins": 8, "round": 2})
    origin = tmp_path / "round-1"
    run(data, first, origin, settings)
    whole = Fit(data, plan, tmp_path / "whole", settings, data="d", origin=origin)
    list(whole)
    points: Iterator[object] = iter(Fit(data, plan, tmp_path / "part", settings, data="d", origin=origin))
    for _ in range(3):
        next(points)
    points.close()  # type: ignore[attr-defined]
    rest = Fit(data, plan, tmp_path / "part", settings, data="d", origin=origin)
    assert len(list(rest)) == 9
    assert rest.result.weights == whole.result.weights
    assert [p.step for p in rest.result.curve] == [p.step for p in whole.result.curve]


def test_a_round_whose_beginning_is_gone_says_so(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae", begins=8)
    with pytest.raises(GenwrightError, match="goes on from at step 8 is gone"):
        list(Fit(data, plan, tmp_path / "run", settings, origin=tmp_path / "nowhere"))


def test_a_dear_measure_is_taken_seldom_and_losses_in_between(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae", steps=24, measure_every=12)
    curve = run(data, plan, tmp_path / "run", settings).result.curve
    assert [p.step for p in curve if p.score is not None] == [12, 24]
    assert [p.step for p in curve if p.validation_loss is not None] == [4, 8, 12, 16, 20, 24]


@pytest.mark.parametrize("steps", [100, 1_000, 100_000])
@pytest.mark.parametrize("price", [0.0, 0.5, 20.0, 500.0])
def test_evaluation_keeps_within_its_share(steps: int, price: float) -> None:
    """At most a tenth of the round, or the two that are needed to tell whether it still improves; never more than wanted."""
    every, measures = held_out.cadence(steps, 64, 8, price)
    assert measures % every == 0
    taken, ranked = -(-steps // every), -(-steps // measures)
    assert 2 <= ranked <= taken <= 8
    assert taken == 2 or taken * held_out.loss_price(64) <= held_out.SHARE / 2 * steps
    assert ranked == 2 or ranked * price <= held_out.SHARE / 2 * steps


def test_code_that_does_not_compile_is_run_as_it_is(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Block, *_: object, **__: object) -> None:
        def call(*_: object, **__: object) -> None:
            raise ValueError("no compiler")

        self._compiled_call_impl = call

    monkeypatch.setattr(Block, "compile", broken)
    data = made.dataset(tmp_path / "data", Part(kind="text", options={"vocab": 300, "length": 32}))
    plan = made.plan(data, "gpt", steps=4)
    eager = run(data, plan, tmp_path / "eager", settings).result
    fit = run(data, plan.model_copy(update={"compiled": True}), tmp_path / "compiled", settings)
    assert fit.result.weights == eager.weights
    assert any("ValueError" in note for note in fit.notes)
