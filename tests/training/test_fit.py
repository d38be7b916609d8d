"""The training loop: resuming to the same bits, surviving damage, bad numbers and too little memory."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from genwright.core.batch import Batch
from genwright.core.errors import GenwrightError
from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.models import bundle
from genwright.models.architectures.vae import Vae
from genwright.models.layers.transformer import Block
from genwright.models.records import Plan
from genwright.training import checkpoint, held_out, saving
from genwright.training.fit import READ_EVERY, Fit
from genwright.training.learner import BAD_IN_A_ROW, Learner
from genwright.training.progress import Progress
from genwright.training.saving import Saver
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


def poison(monkeypatch: pytest.MonkeyPatch, bad: range, times: int = 1) -> None:
    """Make the loss of some steps not a number, so many times each."""
    honest, met = Vae.loss, Counter[int]()

    def loss(self: Vae, batch: Batch, player: str) -> Tensor:
        value, step = honest(self, batch, player), torch.initial_seed() // 31  # as a learner seeds its first player
        if self.training and step in bad and value.device.type != "meta":  # where costs are estimated
            met[step] += 1
            return value * math.nan if met[step] <= times else value
        return value

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
    with monkeypatch.context() as once:
        poison(once, range(6, 6 + BAD_IN_A_ROW))
        fit = run(data, made.plan(data, "vae", steps=24), tmp_path / "once", settings)
    assert fit.result.stopped == "budget"
    assert fit.notes == ["10 bad updates in a row: back to step 4, at half the rate and with other batches"]
    assert fit.result.curve[-1].skipped == BAD_IN_A_ROW
    poison(monkeypatch, range(6, 10_000), times=10_000)
    assert run(data, made.plan(data, "vae", steps=60), tmp_path / "always", settings).result.stopped == "diverged"


def test_a_roll_back_does_not_depend_on_when_checkpoints_were_taken(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, weights = made.plan(data, "vae", steps=40), []
    for folder, due in (("often", lambda *_: True), ("never", lambda *_: False)):
        with monkeypatch.context() as patched:
            patched.setattr(Saver, "due", due)
            poison(patched, range(14, 14 + BAD_IN_A_ROW))
            fit = run(data, plan, tmp_path / folder, settings)
        assert any("back to step 12" in note for note in fit.notes)
        weights.append(fit.result.weights)
    assert weights[0] == weights[1]


def test_weights_that_break_are_noticed_and_what_was_learned_is_kept(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a bit that turned in memory, or a batch that no gradient norm tells of; without a roll-back it is not made good."""
    plan, honest = made.plan(data, "vae", steps=60), Learner.update

    def breaking(self: Learner, batch: Batch, step: int, rate: float) -> Tensor:
        losses = honest(self, batch, step, rate)
        if step == 29 and not broken:
            broken.append(step)
            with torch.no_grad():
                for model in (self.model, self.average):
                    for weight in model.parameters():
                        weight.mul_(8)
        return losses

    monkeypatch.setattr(Learner, "update", breaking)
    ends = {}
    for name in ("rolled back", "left alone"):
        broken: list[int] = []
        with monkeypatch.context() as patched:
            if name == "left alone":
                patched.setattr(Progress, "spike", lambda *_: None)
            fit = run(data, plan, tmp_path / name, settings)
        ends[name] = fit.result.curve[-1].validation_loss
        assert [note.partition(" to ")[0] for note in fit.notes] == (
            ["the held-out loss jumped"] if name == "rolled back" else []
        )
    assert fit.result.best_step < 30  # left alone it never comes near again
    assert ends["rolled back"] < ends["left alone"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bad", [range(0), range(2, 4), range(6, 6 + BAD_IN_A_ROW)], ids=["good", "some", "roll back"])
def test_a_device_that_is_asked_seldom_ends_with_the_same_bits(
    family: str, bad: range, data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a GPU is: what failed is left out and counted there, and told later."""
    plan, results = made.plan(data, family, steps=24, evaluate_every=8), []
    for every in (1, 5):
        with monkeypatch.context() as patched:
            patched.setitem(READ_EVERY, "cpu", every)
            poison(patched, bad)
            results.append(run(data, plan, tmp_path / f"{every}", settings).result)
    often, seldom = results
    assert seldom.weights == often.weights
    told = [str([(p.step, p.losses, p.score) for p in result.curve]) for result in results]  # as text, where NaN is NaN
    assert told[0] == told[1]
    assert seldom.curve[-1].skipped == often.curve[-1].skipped


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
