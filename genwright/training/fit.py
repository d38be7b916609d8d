"""One training loop for every family: iterate it for the curve, then read `.result`.

Every step is a pure function of (weights, plan, step): the batch comes from (seed, step), the random generator is
reseeded from them, and checkpoints hold everything else. So a run killed at any instant and begun again ends with the
same bits. Stopping is closing the iterator: it leaves a checkpoint behind.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from genwright.core import stored
from genwright.core.durable import exclusive
from genwright.core.errors import TrainingError
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation.evaluate import held_out_losses, score
from genwright.evaluation.metrics.base import metrics
from genwright.models import bundle
from genwright.models.architectures.base import Architecture, build_model
from genwright.models.device import choose, out_of_memory
from genwright.models.records import Plan, Used
from genwright.training import checkpoint, optimizer
from genwright.training.records import CurvePoint, Progress, TrainedModel

SAVE_EVERY = 20.0  # seconds between checkpoints; when they are taken never bears on the result
BAD_IN_A_ROW = 10  # updates skipped in a row before going back to the last held-out measure at half the rate
POINTS = 400  # rows of the stored curve


class Fit:
    """A round of training in its own folder. The bundle keeps `data`, the hash of the data set, and `uses`, the versions of
    other models that the data was made with.

    `until` pauses at that step (with a held-out measure and a checkpoint), for races in heats. `base` is the bundle a
    candidate with a `start` begins from. Iterating raises TrainingError when another process trains in the same folder.
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
        uses: Mapping[str, Used] | None = None,
    ) -> None:
        self.dataset, self.plan, self.folder, self.settings, self.data = dataset, plan, folder, settings, data
        self.base, self.uses = base, uses
        self.until = min(until or plan.steps, plan.steps)
        self.notes: list[str] = []  # what a person should hear: damaged checkpoints, memory, roll-backs
        self.progress = Progress(accumulate=plan.accumulate)

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

    def __iter__(self) -> Iterator[CurvePoint]:
        if self.finished:
            return
        busy = f"Another process is training in {self.folder}; wait for it, or stop it."
        with exclusive(self.folder / "lock", busy=busy):
            self._build()
            self._restore()
            try:
                yield from self._train()
            except GeneratorExit:
                self._save()
                raise
            if self.progress.stopped or self.until == self.plan.steps:
                self._finish()

    @property
    def last_score(self) -> float | None:
        """The newest held-out measure, None before the first."""
        points = self.result.curve if self.finished else self.progress.curve
        return next((point.score for point in reversed(points) if point.score is not None), None)

    def rehearse(self, steps: int) -> Iterator[Callable[[], object]]:
        """Steps to be timed, on a model that is thrown away; nothing is written."""
        self._build()
        for step in range(steps):
            yield partial(self._step, step)

    def _build(self) -> None:
        plan = self.plan
        self.device = choose(self.settings)
        torch.manual_seed(plan.seed)
        made = build_model(plan.candidate.family, plan.candidate.config, self.dataset.signature)
        self.model: Architecture = made.to(self.device)
        if plan.candidate.start is not None:
            self.model.load_state_dict(self._start(plan.candidate.start))
        self.average = AveragedModel(self.model, multi_avg_fn=_averaging(plan.average))
        self.players: dict[str, nn.Module] = {name: self.model.player(name) for name in self.model.players}
        self.optimizers = {name: optimizer.build(module, plan) for name, module in self.players.items()}
        self.best: dict[str, Tensor] = {}
        self.better = metrics.get(plan.measure).better

    def _start(self, weights: str) -> dict[str, Tensor]:
        if self.base is None:
            raise TrainingError("The model to go on from is not there.", got=weights, do="run the recipe afresh")
        return bundle.weights(self.base, weights)

    def _restore(self) -> None:
        step, damaged = checkpoint.newest(self.folder / "checkpoints", Progress)
        if damaged:
            self.notes.append(f"checkpoint(s) {damaged} are damaged; going on from {'the start' if step is None else step}")
        if step is not None:
            self._load(step)

    def _load(self, step: int) -> None:
        tensors, self.progress = checkpoint.load(self.folder / "checkpoints", step, Progress)
        self.model.load_state_dict(_under("model/", tensors))
        self.average.load_state_dict(_under("average/", tensors))
        self.best = _under("best/", tensors)
        optimizer.unpack(self.optimizers, _under("optimizer/", tensors))

    def _save(self) -> None:
        named = {
            "model/": self.model.state_dict(),
            "average/": self.average.state_dict(),
            "best/": self.best,
            "optimizer/": optimizer.pack(self.optimizers),
        }
        tensors = {prefix + name: tensor for prefix, group in named.items() for name, tensor in group.items()}
        measured = self.progress.step - self.progress.step % self.plan.evaluate_every
        checkpoint.save(self.folder / "checkpoints", self.progress.step, tensors, self.progress, keep={measured})

    def _train(self) -> Iterator[CurvePoint]:
        progress, plan = self.progress, self.plan
        thin = max(1, plan.steps // POINTS)
        saved = time.monotonic()
        while self.progress.step < self.until and not self.progress.stopped:
            progress, began = self.progress, time.perf_counter()
            losses = self._step(progress.step)
            progress.step += 1
            point = CurvePoint(
                step=progress.step,
                losses=losses,
                learning_rate=self._rate(progress.step - 1),
                items_per_second=plan.batch_size / (time.perf_counter() - began),
                skipped=progress.skipped,
            )
            measured = progress.step % plan.evaluate_every == 0 or progress.step in (plan.steps, self.until)
            if measured and not progress.bad:
                point = self._measure(point)
            progress.seconds += time.perf_counter() - began
            if point.score is not None or progress.step % thin == 0 or progress.step == 1:
                progress.curve.append(point)
            if point.score is not None or time.monotonic() - saved > SAVE_EVERY:
                self._save()
                saved = time.monotonic()
            yield point

    def _step(self, step: int) -> dict[str, float]:
        """One update of every player; halves the micro-batch when memory runs out, keeps the effective batch."""
        while True:
            try:
                losses = self._update(step)
                break
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                if self.progress.accumulate * 2 > self.plan.batch_size:
                    self.progress.stopped = "out of memory"
                    return {}
                self.progress.accumulate *= 2
                self.notes.append(f"memory ran out: {self.progress.accumulate} micro-batches a step from here on")
        if self.progress.bad >= BAD_IN_A_ROW:
            self._roll_back()
        return losses

    def _update(self, step: int) -> dict[str, float]:
        plan, device = self.plan, self.device
        batch = self.dataset.train.batch(plan.batch_size, plan.seed, step).to(device)
        pieces = batch.split(self.progress.accumulate)
        losses: dict[str, float] = {}
        good = True
        self.model.train()
        for place, (name, module) in enumerate(self.players.items()):
            torch.manual_seed(((plan.seed * 1_000_003 + step) * 31 + place) % 2**63)
            self._turn(name)
            total = 0.0
            for piece in pieces:
                share = len(piece) / plan.batch_size
                with self._autocast():
                    loss = self.model.loss(piece, name) * share
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.item()
            norm = nn.utils.clip_grad_norm_(module.parameters(), plan.clip)
            losses[name] = total
            if not bool(torch.isfinite(norm)) or total != total or abs(total) == float("inf"):
                good = False
                break
            for member in self.optimizers[name]:
                for group in member.param_groups:
                    group["lr"] = self._rate(step)
                member.step()
        if good:
            self.progress.bad = 0
            self.average.update_parameters(self.model)
        else:
            self.progress.bad += 1
            self.progress.skipped += 1
        return losses

    def _turn(self, player: str) -> None:
        """Only the player whose turn it is gathers gradients."""
        self.model.zero_grad(set_to_none=True)
        if len(self.players) > 1:
            for name, module in self.players.items():
                module.requires_grad_(name == player)

    def _rate(self, step: int) -> float:
        return self.plan.learning_rate * optimizer.rate(self.plan, step) * 0.5**self.progress.rollbacks

    def _autocast(self) -> Any:
        if self.plan.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _roll_back(self) -> None:
        """Back to the last held-out measure at half the rate; the second time in a round the round has diverged."""
        rollbacks, skipped, accumulate = self.progress.rollbacks + 1, self.progress.skipped, self.progress.accumulate
        measured = [s for s in checkpoint.steps(self.folder / "checkpoints") if s % self.plan.evaluate_every == 0]
        if rollbacks > 2:
            self.progress.stopped = "diverged"
            return
        if measured:
            self._load(measured[-1])
        else:
            self._build()
            self.progress = Progress()
        kept = {"rollbacks": rollbacks, "skipped": skipped, "accumulate": accumulate, "bad": 0}
        self.progress = self.progress.model_copy(update=kept)
        self.notes.append(f"{BAD_IN_A_ROW} bad updates in a row: back to step {self.progress.step} at half the rate")

    def _measure(self, point: CurvePoint) -> CurvePoint:
        """The held-out measure of the averaged weights, and what follows from it: best kept, early stopping."""
        progress = self.progress
        model: Architecture = self.average.module  # type: ignore[assignment]
        with self._autocast():
            value = score(model, self.dataset, self.plan, side="validation", device=str(self.device)).value
            train_loss, validation_loss = held_out_losses(model, self.dataset, self.plan, str(self.device))
        better = progress.best_score is None or (
            value < progress.best_score if self.better == "lower" else value > progress.best_score
        )
        if better:
            progress.best_score, progress.best_step, progress.stale = value, progress.step, 0
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
        else:
            progress.stale += 1
            if self.plan.patience and progress.stale >= self.plan.patience:
                progress.stopped = "early"
        return point.model_copy(update={"score": value, "train_loss": train_loss, "validation_loss": validation_loss})

    def _finish(self) -> None:
        """Write the bundle of the best weights, then the record, and drop the checkpoints."""
        progress = self.progress
        self.model.load_state_dict(self.best or self.average.module.state_dict())
        weights = bundle.save(
            self.folder / "bundle",
            self.model,
            self.dataset,
            plan=self.plan,
            data=self.data,
            uses=self.uses,
        )
        root = self.settings.workspace.resolve()
        path = (self.folder / "bundle").resolve()
        trained = TrainedModel.model_validate(
            {
                "plan": self.plan,
                "data": self.data,
                "path": str(path.relative_to(root)) if path.is_relative_to(root) else str(path),
                "weights": weights,
                "best_step": progress.best_step,
                "steps_done": progress.step,
                "best_score": progress.best_score,
                "stopped": progress.stopped or "budget",
                "curve": progress.curve,
                "seconds": progress.seconds,
            }
        )
        stored.write(self.folder / "trained.json", trained)
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _averaging(decay: float) -> Any:
    """Exponential moving average whose decay starts low, so that the average of a short run is not its first weights."""

    @torch.no_grad()
    def update(averages: Any, currents: Any, count: Tensor | int) -> None:
        now = min(decay, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(list(averages), list(currents), 1 - now)

    return update
