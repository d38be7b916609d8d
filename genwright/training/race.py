"""Choosing an architecture by trial on the data: filter by shape, then by cost, then race at equal budget.

Successive halving (Jamieson and Talwalkar 2016): after every heat the worse half drops out and the rest train on, twice
as far. A budget in minutes gives every racer the same time; a budget in steps the same number of steps.

Where there is a champion to go on from, two race: its family and size from its weights, and the same from random ones.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from genwright.core.errors import TrainingError
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation.metrics.base import ranked
from genwright.models import bundle, cost
from genwright.models.architectures.base import architectures
from genwright.models.device import choose, memory
from genwright.models.records import Candidate
from genwright.recipes.members import Member
from genwright.training import compiling, pace
from genwright.training.fit import Fit
from genwright.training.pace import Pace
from genwright.training.plan import trial
from genwright.training.records import CurvePoint, RaceEntry, Selection

FEWEST_STEPS = 10  # a candidate that cannot do this many in its share of the race is rejected
TIMING = 0.02  # share of the race's budget for a pass of timing a candidate
QUICK = 1.0  # seconds of it where the budget is in steps
ROOM = 0.8  # share of the memory that a model may need
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
    pace: Pace
    entry: RaceEntry
    speeds: list[float] = field(default_factory=list)  # items a second, of the steps of this process


class Race:
    """Iterate it for progress; `.result` is the selection. Racers keep their checkpoints in `folder`, so a race that was
    killed goes on where it stopped. `base` is the bundle of a champion to go on from. Raises TrainingError when no family
    accepts the data or fits the machine."""

    def __init__(self, dataset: Dataset, member: Member, folder: Path, settings: Settings, base: Path | None = None) -> None:
        self.dataset, self.member, self.folder, self.settings, self.base = dataset, member, folder, settings, base
        metric = ranked(dataset.signature.asked(member.first))
        self.measure, self.better = metric.name, metric.better
        self.notes: list[str] = []  # what a person should hear of times and compiling
        self.rejected: list[RaceEntry] = []
        self._result: Selection | None = None

    @property
    def result(self) -> Selection:
        if self._result is None:
            raise TrainingError("The race has not ended.", do="iterate it to its end")
        return self._result

    def __iter__(self) -> Iterator[Heat]:
        racers = self._racers()
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
        self._settle(standing[0])
        self._result = self._selection(standing[0], lost)

    def _candidates(self) -> list[Candidate]:
        """Every family at every dial that suits the shapes and fits the memory; the rest go to `rejected`."""
        signature = self.dataset.signature
        # Not what is free now: who may race must not depend on what else is running.
        free = min(self.member.select.memory_gib * GIB, ROOM * memory(choose(self.settings)))
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

    def minutes(self) -> float:
        """About how long the race and a first round will take, told before either begins; this times the candidates."""
        select, train = self.member.select.budget, self.member.train.budget
        racers = self._racers()
        slowest = max(racer.pace.step for racer in racers)
        race = select.minutes or sum(r.steps * r.pace.step for r in racers) * self._whole(len(racers)) / len(racers) / 60
        return (race if len(racers) > 1 else 0.0) + (train.minutes or (train.steps or 0) * slowest / 60)

    def _racers(self) -> list[Racer]:
        """Every candidate with its steps in the race; minutes become steps by a short measurement that is kept on disk."""
        self.rejected.clear()
        candidates = self._candidates() if self.base is None else self._heirs(self.base)
        budget = self.member.select.budget
        clocked = bool(budget.minutes or self.member.train.budget.minutes)
        quick = QUICK if clocked else 0.0  # where nothing hangs on the clock, that memory does is all there is to see
        seconds = TIMING * budget.minutes * 60 if budget.minutes else quick
        fits = {c.title: self._fit(c, 100) for c in candidates}
        paces, notes = pace.survey(fits, self.folder / "paces.json", seconds, measure=clocked)
        self.notes += notes
        racers = []
        for candidate in candidates:
            measured = paces.get(candidate.title)
            if measured is None:
                self._reject(candidate.family, candidate.dial, "memory ran out with one item a micro-batch", candidate)
                continue
            steps = budget.steps or self._affordable(measured, len(candidates))
            if budget.steps is None and steps < FEWEST_STEPS and len(candidates) > 1:
                need = (
                    f"only {steps} steps of {measured.step:.2g} s, and measures of {measured.measure:.2g} s, fit into its share"
                )
                self._reject(candidate.family, candidate.dial, f"{need} of the race", candidate)
                continue
            entry = RaceEntry(
                family=candidate.family,
                dial=candidate.dial,
                goes_on=candidate.start is not None,
                cost=candidate.cost,
                verdict="lost",
                reason="",
                measure=self.measure,
                seconds_per_step=measured.step,
            )
            racers.append(Racer(candidate, steps, measured, entry))
        if not racers:
            raise TrainingError("No candidate fits the race's budget.", do="raise `select.budget` or lower `select.dials`")
        return racers

    def _affordable(self, measured: Pace, candidates: int) -> int:
        """Steps of a racer that runs every heat, so that all heats with their measures take the budgeted minutes."""
        assert self.member.select.budget.minutes is not None
        share = self.member.select.budget.minutes * 60 / self._whole(candidates)
        return max(0, int((share - self.member.select.heats * measured.measure) / measured.step))

    def _whole(self, candidates: int) -> float:
        """What all heats together take, where a racer that runs every heat takes 1."""
        heats = self.member.select.heats
        standing, total, before = candidates, 0.0, 0.0
        for heat in range(1, heats + 1):
            reached = 2.0 ** (heat - heats)
            total += standing * (reached - before)
            standing, before = (standing + 1) // 2, reached
        return total

    def _fit(self, candidate: Candidate, steps: int, until: int | None = None, *, compiled: bool = False) -> Fit:
        plan = trial(candidate, self.member, self.dataset, self.settings, steps).model_copy(update={"compiled": compiled})
        return Fit(self.dataset, plan, place(self.folder, candidate), self.settings, until=until, base=self.base)

    def _run(self, racer: Racer, heat: int, heats: int) -> Iterator[Heat]:
        until = max(1, round(racer.steps * 2.0 ** (heat - heats)))
        fit = self._fit(racer.candidate, racer.steps, until)
        for point in fit:
            racer.speeds += [point.items_per_second] if point.items_per_second else []
            yield Heat(racer.candidate, heat, heats, until, point)
        score = fit.last_score
        known = score is not None and score == score and abs(score) != float("inf")
        scores = [*racer.entry.scores, score] if known else []
        steps = [*racer.entry.steps, until]
        racer.entry = racer.entry.model_copy(update={"scores": scores, "steps": steps, "goes_on_at": fit.held})

    def _settle(self, winner: Racer) -> None:
        """What the plan of the first round needs to know of the winner, while the budgets of plans are not yet fixed."""
        minutes = self.member.train.budget.minutes
        fit = self._fit(winner.candidate, 100)
        if minutes is None:
            winner.entry = winner.entry.model_copy(update={"measure_price": pace.counted(fit)})
            return
        found = winner.pace
        seen = winner.candidate.batch_size / statistics.median(winner.speeds) if winner.speeds else found.step
        if found.far(seen):
            again = pace.take(fit, TIMING * minutes * 60, measure=True)
            said = f"a step of {winner.candidate.title} took {seen:.2g} s in the race, {found.step:.2g} s when it was timed"
            self.notes.append(f"{said}; timed once more: {again.step:.2g} s")
            found = again
        found = self._compiled(winner.candidate, found, minutes)
        told = {"seconds_per_step": found.step, "measure_price": found.price, "compiled": found.compiled}
        winner.entry = winner.entry.model_copy(update=told)

    def _compiled(self, candidate: Candidate, eager: Pace, minutes: float) -> Pace:
        """The pace with compiled blocks where they pay, else the one there is."""
        fit, began = self._fit(candidate, 100, compiled=True), time.monotonic()
        if not compiling.worthwhile(fit.begin().model, choose(self.settings), minutes):
            return eager
        try:
            found = pace.take(fit, TIMING * minutes * 60, measure=False)
        except Exception as error:  # as in Learner: it goes on without
            self.notes.append(f"{candidate.title} is not compiled: {type(error).__name__}")
            return eager
        gain = f"a step of {candidate.title} takes {found.step:.2g} s compiled, {eager.step:.2g} s as it is"
        if not found.compiled or not compiling.pays(eager.step, found.step, time.monotonic() - began, minutes):
            self.notes.append(f"{gain}; compiling does not pay")
            return eager
        self.notes.append(f"{gain}; the rounds compile")
        return found.model_copy(update={"measure": eager.measure})

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


def place(folder: Path, candidate: Candidate) -> Path:
    """Where in the folder of a race a candidate trains."""
    return folder / candidate.title.replace(" ", "-")


def tidy(folder: Path, winner: Candidate) -> None:
    """Remove what a race left on disk, but for what the first round goes on from. Once its selection is kept."""
    keep = place(folder, winner)
    for racer in folder.iterdir() if folder.is_dir() else []:
        if racer.is_dir() and racer != keep:
            shutil.rmtree(racer)
