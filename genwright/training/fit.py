"""One training loop for every family: iterate it for the curve, then read `.result`.

Every step is a pure function of (weights, plan, step): the batch comes from (seed, step), the random generator is
reseeded from them, and checkpoints hold everything else. So a run killed at any instant and begun again ends with the
same bits. Stopping is closing the iterator: it leaves a checkpoint behind.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genwright.core import stored
from genwright.core.durable import exclusive
from genwright.core.errors import TrainingError
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation.memo import Memo
from genwright.models import bundle
from genwright.models.architectures.base import Architecture
from genwright.models.device import out_of_memory, prepare
from genwright.models.records import Plan, Used
from genwright.training import checkpoint, optimizer, shown
from genwright.training.held_out import HeldOut, KeptBy, kept_by, measured
from genwright.training.learner import BAD_IN_A_ROW, Learner
from genwright.training.progress import Progress
from genwright.training.records import CurvePoint, TrainedModel
from genwright.training.saving import Saver

CHECKPOINTS = "checkpoints"
POINTS = 400  # rows of the stored curve
READ_EVERY = {"cpu": 1}  # steps between readings of losses by kind of device: one that works ahead is not waited for
AHEAD = 16  # the same of other kinds
ROLL_BACKS = 2  # in a round; the next time it has diverged


class Fit:
    """A round of training in its own folder. The bundle keeps `data`, the hash of the data set, and `uses`, the versions of
    other models that the data was made with.

    `until` pauses at that step (with a held-out measure and a checkpoint), for races in heats. `base` is the bundle a
    candidate with a `start` begins from; `origin` the folder of the training that a plan with `begins` goes on from. Iterating
    raises TrainingError when another process trains in the same folder.
    """

    def __init__(
        self,
        dataset: Dataset,
        plan: Plan,
        folder: Path,
        settings: Settings,
        *,
        data: str = "",
        until: int | None = None,
        base: Path | None = None,
        origin: Path | None = None,
        uses: Mapping[str, Used] | None = None,
    ) -> None:
        self.dataset, self.plan, self.folder, self.settings, self.data = dataset, plan, folder, settings, data
        self.base, self.origin, self.uses, self.memo = base, origin, uses, Memo.of(dataset, settings)
        self.seen = shown.seen(dataset, {})
        self.until = min(until or plan.steps, plan.steps)
        self.notes: list[str] = []  # what a person should hear: damaged checkpoints, memory, roll-backs
        self.progress = Progress(step=plan.begins, accumulate=plan.accumulate)
        self._best: dict[str, Tensor] = {}
        self._unread: list[Tensor] = []  # losses of the steps since the device was last asked
        self._asked = time.perf_counter()

    def __len__(self) -> int:
        return self.plan.steps

    @property
    def result(self) -> TrainedModel:
        """The trained model. Raises TrainingError before training has ended."""
        trained = stored.readable(TrainedModel, self.folder / "trained.json")
        if trained is None:
            raise TrainingError("This round of training has not ended.", got=self.folder, do="iterate it to its end")
        return trained

    @property
    def finished(self) -> bool:
        """Whether the result is there, can be read, and its bytes verify."""
        there = stored.readable(TrainedModel, self.folder / "trained.json") is not None
        return there and bundle.verified(self.folder / "bundle")

    @property
    def held(self) -> int:
        """The newest step that another training can go on from; 0 where there is none."""
        return max(checkpoint.steps(self.folder / CHECKPOINTS), default=0)

    @property
    def last_score(self) -> float | None:
        """The held-out measure at the step that was reached; None where it was not taken, or is no number."""
        curve = self.result.curve if self.finished else self.progress.curve
        return curve[-1].score if curve else None

    def __iter__(self) -> Iterator[CurvePoint]:
        if self.finished:
            return
        busy = f"Another process is training in {self.folder}; wait for it, or stop it."
        with exclusive(self.folder / "lock", busy=busy):
            self._restore()
            self.saver = Saver(self.folder / CHECKPOINTS)
            try:
                yield from self._train()
                if not self.progress.stopped and not self.saver.saved(self.progress.step):
                    self._save()
            except GeneratorExit:
                self._save()
                raise
            finally:
                self.saver.close()
            if self.progress.stopped or self.until == self.plan.steps:
                self._finish()

    @property
    def model(self) -> Architecture:
        """The model in training; the best one after the end."""
        return self.learner.model

    def begin(self) -> Learner:
        """The model as it is before the first step."""
        start, wanted = None, self.plan.candidate.start
        if wanted is not None:
            if self.base is None:
                raise TrainingError("The model to go on from is not there.", got=wanted, do="run the recipe afresh")
            start = bundle.weights(self.base, wanted)
        return Learner(self.plan, self.dataset.signature, prepare(self.settings), start)

    def _restore(self) -> None:
        """The model as the newest checkpoint has it, or as it is before the first step of this round."""
        found, damaged = checkpoint.newest(self.folder / CHECKPOINTS)
        if damaged:
            said = "the start" if found is None else found.progress.step
            self.notes.append(f"checkpoint(s) {damaged} are damaged; going on from {said}")
        self._become(found or self._origin())

    def _origin(self) -> checkpoint.Checkpoint | None:
        """Where this round goes on from; None where it begins anew."""
        if not self.plan.begins:
            return None
        found = None if self.origin is None else checkpoint.load(self.origin / CHECKPOINTS, self.plan.begins)
        if found is None:
            raise TrainingError(
                f"What this round goes on from at step {self.plan.begins} is gone or damaged.",
                got=self.origin,
                do=f"delete {self.folder.parent} and run the same command again",
            )
        anew = {"evaluated": self.plan.begins, "stale": 0, "rollbacks": 0, "seconds": 0.0, "stopped": None}
        return replace(found, progress=found.progress.model_copy(update=anew))

    def _become(self, found: checkpoint.Checkpoint | None) -> None:
        self.learner = self.begin()
        if found is not None:
            self.progress, self._best = found.progress, found.best
            self.learner.restore(found.tensors)
            self.learner.accumulate = found.progress.accumulate

    def _train(self) -> Iterator[CurvePoint]:
        ahead = READ_EVERY.get(self.learner.device.type, AHEAD)
        while not self.progress.stopped:
            if self.progress.bad >= BAD_IN_A_ROW:
                self._roll_back(f"{BAD_IN_A_ROW} bad updates in a row")
                continue
            if self.progress.step >= self.until:
                return
            began, progress = time.perf_counter(), self.progress
            point = self._advance()
            if point is None:
                return
            evaluated = point.step % self.plan.evaluate_every == 0 or point.step in (self.plan.steps, self.until)
            if evaluated or len(self._unread) >= ahead:
                point = point.model_copy(update=self._read())
            if evaluated and not progress.bad:
                found = self._measured(point.step)
                if (spike := progress.spike(found)) is not None:
                    self._roll_back(spike)
                    continue
                point = self._evaluate(point, found)
            self._keep(point, evaluated)
            progress.seconds += time.perf_counter() - began
            if self.saver.due(evaluated):
                self._save()
            yield point

    def _advance(self) -> CurvePoint | None:
        """One step; None where there is not memory enough for any."""
        progress = self.progress
        try:
            self._unread.append(self._update(progress.step))
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            progress.stopped = "out of memory"
            return None
        progress.step += 1
        return CurvePoint(step=progress.step, learning_rate=self._rate(progress.step - 1), skipped=progress.skipped)

    def _update(self, step: int) -> Tensor:
        later = self.progress.rollbacks * self.plan.steps  # of batches that this round would not have come to
        sought = self.learner.model.sought(self.dataset.signature)
        batch = self.dataset.train.batch(self.plan.batch_size, self.plan.seed, step + later, sought)
        losses = self.learner.update(batch, step, self._rate(step))
        self.progress.accumulate = self.learner.accumulate
        self.notes += self.learner.notes
        self.learner.notes.clear()
        return losses

    def _rate(self, step: int) -> float:
        return self.plan.learning_rate * optimizer.rate(self.plan, step) * 0.5**self.progress.rollbacks

    def _read(self) -> dict[str, Any]:
        """Ask the device what became of the steps since the last time, and complete the curve; what the point of the newest
        step is to say."""
        progress, rows = self.progress, len(self._unread)
        if not rows:
            return {}
        losses = [dict(zip(self.model.players, row, strict=True)) for row in torch.stack(self._unread).tolist()]
        self._unread.clear()
        progress.bad, progress.skipped, made = self.learner.read()
        progress.tell(losses, made)
        passed, self._asked = time.perf_counter() - self._asked, time.perf_counter()
        speed = rows * self.plan.batch_size / max(passed, 1e-9)
        return {"losses": losses[-1], "skipped": progress.skipped, "items_per_second": speed}

    def _keep(self, point: CurvePoint, evaluated: bool) -> None:
        """Store a point, if it is one of those that are stored."""
        thin = max(1, self.plan.steps // POINTS)
        if (evaluated or point.step % thin == 0 or point.step == 1) and point.step <= self.progress.step:
            self.progress.curve.append(point)

    def _measured(self, step: int) -> HeldOut:
        """What the averaged weights are worth."""
        ranked = step in (self.plan.steps, self.until) or step % (self.plan.measure_every or 1) == 0
        return measured(self.learner, self.dataset, self.memo, ranked=ranked)

    def _evaluate(self, point: CurvePoint, found: HeldOut) -> CurvePoint:
        """What follows from what the averaged weights are worth: the best are kept, training stops early."""
        progress, plan = self.progress, self.plan
        progress.evaluated = point.step
        point = point.model_copy(update=found.told)
        if found.samples is not None and self.seen is not None:
            self.seen.keep(self.folder, point.step, found.samples)
        by = self._by
        value = by.value(point)
        if value is not None:
            if progress.offer(value, by.better, by.doubt(point)):
                weights = self.learner.average.state_dict()
                self._best = {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}
            if plan.patience and progress.stale >= plan.patience:
                progress.stopped = "early"
        self._asked = time.perf_counter()
        return point

    @property
    def _by(self) -> KeptBy:
        makes = self.dataset.signature.makes is not None
        return kept_by(self.plan, losses=makes and self.model.players == ("model",))

    def _save(self) -> None:
        self._read()
        self.saver.save(self.progress, self.learner.tensors(), self._best)

    def _roll_back(self, why: str) -> None:
        """Back to the last held-out losses, at half the rate and with other batches; the third time in a round the round has
        diverged.

        What was saved nearest before is made again from there on, so that it does not matter when that was.
        """
        progress, best = self.progress, self._best
        if progress.rollbacks == ROLL_BACKS:
            progress.stopped = "diverged"
            return
        self.saver.flush()
        found = checkpoint.newest(self.folder / CHECKPOINTS, at_most=progress.evaluated)[0] or self._origin()
        self._become(found)
        self.learner.accumulate = progress.accumulate
        for step in range(found.progress.step if found else 0, progress.evaluated):
            self._update(step)
        self.learner.restart(progress.skipped)
        self.progress = progress.model_copy(update={"rollbacks": progress.rollbacks + 1, "bad": 0})
        self.progress.cut(progress.evaluated)
        shown.cut(self.folder, progress.evaluated)
        self._best = best
        self.notes.append(f"{why}: back to step {self.progress.step}, at half the rate and with other batches")
        self._save()

    def _finish(self) -> None:
        """Write the bundle of the best weights, then the record. The last checkpoint stays for a round that goes on."""
        progress = self.progress
        self.model.load_state_dict(self._best or self.learner.average.state_dict())
        folder, plan = self.folder / "bundle", self.plan
        weights = bundle.save(folder, self.model, self.dataset, plan=plan, data=self.data, uses=self.uses)
        root = self.settings.workspace.resolve()
        path = (self.folder / "bundle").resolve()
        kept = next((point for point in progress.curve if point.step == progress.best_step), None)
        trained = TrainedModel.model_validate(
            {
                "plan": self.plan,
                "data": self.data,
                "path": str(path.relative_to(root)) if path.is_relative_to(root) else str(path),
                "weights": weights,
                "best_step": progress.best_step,
                "steps_done": progress.step,
                "best_score": kept.score if kept else None,
                "kept": self._by.why(progress.curve, progress.best_step),
                "stopped": progress.stopped or "budget",
                "curve": progress.curve,
                "seconds": progress.seconds,
            }
        )
        stored.write(self.folder / "trained.json", trained)
        if progress.stopped:
            shutil.rmtree(self.folder / CHECKPOINTS, ignore_errors=True)
        else:
            checkpoint.prune(self.folder / CHECKPOINTS, {progress.step})
