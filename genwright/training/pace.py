"""How long a step and a held-out measure take, told apart from what else the machine is doing.

Other work makes a step take longer by the clock, but not by the time of the processors, nor at every moment. So a step is
timed several times, apart from each other, by both; the least counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from genwright.core import stored
from genwright.core.doing import telling
from genwright.core.record import Record
from genwright.core.stored import Stored
from genwright.evaluation.evaluate import score
from genwright.models import waiting
from genwright.models.cost import Flops
from genwright.models.device import out_of_memory, settle
from genwright.training.fit import Fit
from genwright.training.held_out import measured
from genwright.training.learner import Learner

STEPS = 5  # timed in a row
PASSES = 2  # apart from each other
FEW = 32  # samples of a measure that is not looked at
FAR = 1.5  # two times of the same thing that differ by more are not to be trusted


class Pace(Record):
    """Seconds of a training step, and of a held-out measure where that was asked for, on a machine that is free."""

    step: float
    measure: float = 0.0
    busy: bool = False
    compiled: bool = False

    @property
    def price(self) -> float:
        """What a held-out measure costs, in steps."""
        return self.measure / self.step

    def far(self, other: float) -> bool:
        """Whether a step of `other` seconds is another step altogether."""
        return max(self.step, other) > FAR * min(self.step, other)


class Paces(Stored):
    """The paces of the trainings of a race, by name: taken once, so that a race that goes on has the same steps."""

    form = "paces"

    known: dict[str, Pace] = {}


def survey(fits: Mapping[str, Fit], kept: Path, seconds: float, *, measure: bool) -> tuple[dict[str, Pace], list[str]]:
    """The paces of trainings by name, taken within about so many seconds for each pass, and what is to be said of them. They
    are kept in a file, so that they are taken once. Those for which memory does not do are left out. Where no measure is
    timed, nothing hangs on the clock, and one pass does."""
    known = dict((stored.readable(Paces, kept) or Paces()).known)
    taken: dict[str, list[Pace]] = {name: [] for name in fits if name not in known}
    wanted = PASSES if measure else 1
    passes = [name for _ in range(wanted) for name in taken]
    for name in telling("timing steps", passes, len(passes)):
        if (pace := _fitting(fits[name], seconds, measure)) is not None:
            taken[name].append(pace)
    taken = {name: paces for name, paces in taken.items() if len(paces) == wanted}
    notes = []
    for name, paces in taken.items():
        if paces[0].far(paces[-1].step):
            times = " and ".join(f"{pace.step:.2g} s" for pace in paces)
            paces.append(take(fits[name], seconds, measure=measure))
            notes.append(f"a step of {name} took {times}; timed once more: {paces[-1].step:.2g} s")
        known[name] = least(paces)
    if any(known[name].busy for name in taken):
        notes.append("other work needed the processors while steps were timed; what counts is the processors' time")
    if taken:
        stored.write(kept, Paces(known=known))
    return known, notes


def _fitting(fit: Fit, seconds: float, measure: bool) -> Pace | None:
    """The pace, None where memory runs out."""
    try:
        return take(fit, seconds, measure=measure)
    except RuntimeError as error:
        if out_of_memory(error):
            return None
        raise


def take(fit: Fit, seconds: float, *, measure: bool) -> Pace:
    """The pace of a training that has not begun, within about so many seconds, on a model that is thrown away. `busy` says
    that others needed the processors meanwhile."""
    before, learner = waiting.look(), fit.begin()

    def timed(step: int) -> float:
        batch = fit.dataset.train.batch(fit.plan.batch_size, fit.plan.seed, step)
        return _least(learner, lambda: learner.update(batch, step, fit.plan.learning_rate))

    first = [timed(step) for step in (0, 1)]  # these warm up, but where steps are slow they must do
    several = min(STEPS, int(seconds / max(first[-1], 1e-6)))
    steps = [timed(step) for step in range(2, 2 + several)] or first[1:]
    measured_in = _least(learner, lambda: measured(learner, fit.dataset, fit.memo, ranked=True)) if measure else 0.0
    busy = waiting.crowded(waiting.taken(before, waiting.look()), fit.settings.threads)
    return Pace(step=statistics.fmean(steps), measure=measured_in, busy=busy, compiled=learner.compiled)


def least(paces: list[Pace]) -> Pace:
    """The least of several: what others did meanwhile only ever adds."""
    return Pace(
        step=min(pace.step for pace in paces),
        measure=min(pace.measure for pace in paces),
        busy=all(pace.busy for pace in paces),
        compiled=all(pace.compiled for pace in paces),
    )


def counted(fit: Fit) -> float:
    """What a held-out measure costs, in steps, by arithmetic instead of the clock: the same on every machine."""
    learner, cost = fit.begin(), fit.plan.candidate.cost
    few = fit.plan.model_copy(update={"samples": min(FEW, fit.plan.samples)})
    device = str(learner.device)
    score(learner.average, fit.dataset, few, side="validation", device=device, memo=fit.memo)  # what is learned once is there
    with Flops() as counter:  # type: ignore[no-untyped-call]
        measured(learner, fit.dataset, fit.memo, ranked=True)
    return float(counter.total) / (cost.flops_per_item * fit.plan.batch_size)


def _least(learner: Learner, work: Callable[[], object]) -> float:
    """Seconds by the clock or, where that is less, of the processors: with one thread they are equal on a free machine."""
    settle(learner.device)
    clock, processors = time.perf_counter(), time.process_time()
    work()
    settle(learner.device)
    passed, worked = time.perf_counter() - clock, time.process_time() - processors
    return min(passed, worked) if learner.device.type == "cpu" else passed
