"""What may go wrong within a round of training: bad numbers, weights that break, too little memory."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from genwright.core.batch import Batch
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.models import bundle
from genwright.models.architectures.vae import Vae
from genwright.training.fit import READ_EVERY
from genwright.training.learner import BAD_IN_A_ROW, Learner
from genwright.training.progress import Progress
from genwright.training.saving import Saver
from tests import made
from tests.training.test_fit import FAMILIES, run


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
