"""Stage: choose an architecture by trial."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.lifecycle.run import Run
from genwright.models.records import Plan
from genwright.tasks.display import Bar, Doing, bars, say
from genwright.tasks.interrupts import interruptible
from genwright.training.race import Race, place, tidy
from genwright.training.records import Selection

RACE = "race"  # folder of the race, in that of the run


@task(name="select", cache_policy=NO_CACHE)
def select(run: Run) -> Selection:
    """The selection of this run: remembered, or found by a race."""
    known = run.recall("selection", Selection)
    if known is not None:
        say("select", f"{known.winner.title}, chosen before: {known.why}")
        return known
    race = race_of(run)
    with bars() as progress:
        shown: dict[tuple[str, int], Bar] = {}
        with Doing(progress, "select") as doing:
            for heat in interruptible(race):
                key = (heat.candidate.title, heat.heat)
                if key not in shown:
                    title = f"heat {heat.heat} of {heat.heats} {heat.candidate.title}"
                    epochs = heat.candidate.batch_size / run.dataset.train.units
                    shown[key] = Bar(progress, "select", title, heat.until, epochs)
                doing.rest()
                shown[key].advance(heat.point, race.measure)
                run.steps_trained += 1
    for note in race.notes:
        say("select", note)
    for entry in race.result.table:
        if entry.verdict == "rejected" and entry.cost is not None:  # one that could have raced
            say("select", f"{entry.family} did not race: {entry.reason}")
    say("select", race.result.why)
    selection = run.keep("selection", race.result)
    tidy(run.folder / RACE, selection.winner)
    return selection


def race_of(run: Run) -> Race:
    """The race of a run, in its folder."""
    return Race(run.dataset, run.member, run.folder / RACE, run.settings, run.base.folder if run.base else None)


def origin_of(run: Run, plan: Plan) -> Path | None:
    """The folder of the training that a round goes on from: the winner's in the race, or the round before it."""
    if not plan.begins:
        return None
    return place(run.folder / RACE, plan.candidate) if plan.round == 1 else run.folder / f"round-{plan.round - 1}"
