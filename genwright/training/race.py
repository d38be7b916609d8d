"""Choosing an architecture by trial on the data: filter by shape, then by cost, then race at equal budget.

Successive halving (Jamieson and Talwalkar 2016): after every heat the worse half drops out and the rest train on, twice
as far. A budget in minutes gives every racer the same time; a budget in steps the same number of steps.

Where there is a champion to go on from, two race: its family and size from its weights, and the same from random ones.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from genwright.core import stored
from genwright.core.errors import TrainingError
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation.metrics.base import ranked
from genwright.models import bundle, cost
from genwright.models.architectures.base import architectures
from genwright.models.records import Candidate
from genwright.recipes.members import Member
from genwright.training.fit import Fit
from genwright.training.plan import draft
from genwright.training.records import CurvePoint, Pace, RaceEntry, Selection

FEWEST_STEPS = 10  # a candidate that cannot do this many in its share of the race is rejected
GIB = 2**30


@dataclass(frozen=True)
class Heat:
    """One training step of a racer, for a progress display."""

    candidate: Candidate
    heat: int  # from 1
    heats: int
    until: int
    point: CurvePoint


@dataclass
class Racer:
    candidate: Candidate
    steps: int  # in the whole race
    seconds_per_step: float
    entry: RaceEntry


class Race:
    """Iterate it for progress; `.result` is the selection. Racers keep their checkpoints in `folder`, so a race that was
    killed goes on where it stopped. `base` is the bundle of a champion to go on from. Raises TrainingError when no family
    accepts the data or fits the machine."""

    def __init__(self, dataset: Dataset, member: Member, folder: Path, settings: Settings, base: Path | None = None) -> None:
        self.dataset, self.member, self.folder, self.settings, self.base = dataset, member, folder, settings, base
        metric = ranked(dataset.signature)
        self.measure, self.better = metric.name, metric.better
        self.rejected: list[RaceEntry] = []
        self._result: Selection | None = None

    @property
    def result(self) -> Selection:
        if self._result is None:
            raise TrainingError("The race has not ended.", do="iterate it to its end")
        return self._result

    def __iter__(self) -> Iterator[Heat]:
        racers = self._steps(self._candidates() if self.base is None else self._heirs(self.base))
        standing, lost = racers, []
        heats = self.member.select.heats if len(racers) > 1 else 0
        for heat in range(1, heats + 1):
            for racer in standing:
                yield from self._run(racer, heat, heats)
            ranked = sorted((r for r in standing if r.entry.scores), key=self._place)
            failed = [r for r in standing if not r.entry.scores]
            if not ranked:
                raise TrainingError("Every candidate diverged in the race.", do="lower `train.learning_rate`")
            keep = 1 if heat == heats else max(1, (len(ranked) + 1) // 2)
            lost += [self._lose(r, heat) for r in ranked[keep:] + failed]
            standing = ranked[:keep]
        self._result = self._selection(standing[0], lost)

    def _candidates(self) -> list[Candidate]:
        """Every family at every dial that suits the shapes and fits the memory; the rest go to `rejected`."""
        signature = self.dataset.signature
        free = min(self.member.select.memory_gib * GIB, 0.8 * psutil.virtual_memory().available)
        found = []
        for name in architectures.all():
            family = architectures.get(name)
            reason = family.accepts(signature)
            if self.member.select.families is not None and name not in self.member.select.families:
                reason = reason or "not among `select.families` of the recipe"
            if reason is not None:
                self._reject(name, 0.0, reason)
                continue
            batch_size = self.member.train.batch_size or int(family.defaults.get("batch_size", 64))
            batch_size = min(batch_size, self.dataset.train.units)
            for dial in self.member.select.dials:
                config = family.sized(signature, dial).model_dump(mode="json") | self.member.config.get(name, {})
                price = cost.estimate(name, config, signature, batch_size)
                candidate = Candidate(family=name, dial=dial, config=config, cost=price, batch_size=batch_size)
                if price.memory_bytes > free:
                    need = f"needs about {price.memory_bytes / GIB:.1f} GiB of memory, {free / GIB:.1f} GiB may be used"
                    self._reject(name, dial, need, candidate)
                else:
                    found.append(candidate)
        if not found:
            reasons = "; ".join(f"{e.family}: {e.reason}" for e in self.rejected)
            raise TrainingError(
                "No family of models can take this data.", got=reasons, do="change content, condition or `select`"
            )
        return found

    def _heirs(self, base: Path) -> list[Candidate]:
        """The champion's family at its size, from its weights and from random ones."""
        info = bundle.info(base)
        plan = info.plan
        size = min(self.member.train.batch_size or plan.batch_size, self.dataset.train.units)
        afresh = plan.candidate.model_copy(update={"start": None, "batch_size": size, "config": info.config})
        return [afresh.model_copy(update={"start": bundle.verify(base)[bundle.WEIGHTS]}), afresh]

    def _reject(self, family: str, dial: float, reason: str, candidate: Candidate | None = None) -> None:
        price = candidate.cost if candidate else None
        self.rejected.append(RaceEntry(family=family, dial=dial, cost=price, verdict="rejected", reason=reason))

    def _steps(self, candidates: list[Candidate]) -> list[Racer]:
        """Steps of every candidate in the race; minutes become steps by a short measurement that is kept on disk."""
        kept = self.folder / "pace.json"
        seconds = (stored.readable(Pace, kept) or Pace()).seconds
        for candidate in candidates:
            if candidate.title not in seconds:
                seconds[candidate.title] = self._time_step(candidate)
                stored.write(kept, Pace(seconds=seconds))
        budget = self.member.select.budget
        racers = []
        for candidate in candidates:
            steps = budget.steps or int(self._share(len(candidates)) / seconds[candidate.title])
            if budget.steps is None and steps < FEWEST_STEPS and len(candidates) > 1:
                need = f"only {steps} steps of {seconds[candidate.title]:.2g} s fit into its share of the race"
                self._reject(candidate.family, candidate.dial, need, candidate)
                continue
            entry = RaceEntry(
                family=candidate.family,
                dial=candidate.dial,
                goes_on=candidate.start is not None,
                cost=candidate.cost,
                verdict="lost",
                reason="",
                measure=self.measure,
                seconds_per_step=seconds[candidate.title],
            )
            racers.append(Racer(candidate, steps, seconds[candidate.title], entry))
        if not racers:
            raise TrainingError("No candidate fits the race's budget.", do="raise `select.budget` or lower `select.dials`")
        return racers

    def _share(self, candidates: int) -> float:
        """Seconds of a racer that runs every heat, so that all heats together take the budgeted minutes."""
        assert self.member.select.budget.minutes is not None
        heats = self.member.select.heats
        standing, total, before = candidates, 0.0, 0.0
        for heat in range(1, heats + 1):
            reached = 2.0 ** (heat - heats)
            total += standing * (reached - before)
            standing, before = (standing + 1) // 2, reached
        return self.member.select.budget.minutes * 60 / total

    def _time_step(self, candidate: Candidate, rounds: int = 5) -> float:
        """Median seconds of a training step, after two that warm up."""
        plan = draft(candidate, self.member, self.dataset, self.settings, steps=100)
        trial = Fit(self.dataset, plan, self.folder / "trial", self.settings, base=self.base)
        times = []
        for step in trial.rehearse(rounds + 2):
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
        return statistics.median(times[2:])

    def _run(self, racer: Racer, heat: int, heats: int) -> Iterator[Heat]:
        until = max(1, round(racer.steps * 2.0 ** (heat - heats)))
        plan = draft(racer.candidate, self.member, self.dataset, self.settings, steps=racer.steps)
        # A racer may be stopped at any heat, so its rate does not fall towards an end.
        plan = plan.model_copy(update={"decay": 0.0, "evaluate_every": racer.steps + 1, "patience": 0})
        folder = self.folder / racer.candidate.title.replace(" ", "-")
        fit = Fit(self.dataset, plan, folder, self.settings, until=until, base=self.base)
        for point in fit:
            yield Heat(racer.candidate, heat, heats, until, point)
        score = fit.last_score
        known = score is not None and score == score and abs(score) != float("inf")
        scores = [*racer.entry.scores, score] if known else []
        racer.entry = racer.entry.model_copy(update={"scores": scores, "steps": [*racer.entry.steps, until]})

    def _place(self, racer: Racer) -> float:
        score = racer.entry.scores[-1]
        return score if self.better == "lower" else -score

    def _lose(self, racer: Racer, heat: int) -> Racer:
        reason = f"dropped after heat {heat}" if racer.entry.scores else f"diverged in heat {heat}"
        racer.entry = racer.entry.model_copy(update={"reason": reason})
        return racer

    def _selection(self, winner: Racer, lost: list[Racer]) -> Selection:
        if lost:
            second = min((r for r in lost if r.entry.scores), key=self._place, default=None)
            best = {"lower": "lowest", "higher": "highest"}[self.better]
            why = f"{winner.candidate.title} had the {best} {self.measure} on held-out items, {winner.entry.scores[-1]:.4g}"
            why += f"; the next, {second.candidate.title}, had {second.entry.scores[-1]:.4g}." if second else "."
        else:
            why = f"{winner.candidate.title} is the only candidate that takes this data and fits; there was no race."
        entry = winner.entry.model_copy(update={"verdict": "won", "reason": why})
        table = [entry, *[r.entry for r in lost], *self.rejected]
        return Selection(winner=winner.candidate, measure=self.measure, better=self.better, table=table, why=why)
