"""Stage: choose an architecture by trial."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.lifecycle.run import Run
from genwright.tasks.display import Bar, bars, say
from genwright.tasks.interrupts import interruptible
from genwright.training.race import Race
from genwright.training.records import Selection


@task(name="select", cache_policy=NO_CACHE)
def select(run: Run) -> Selection:
    """The selection of this run: remembered, or found by a race."""
    known = run.recall("selection", Selection)
    if known is not None:
        say("select", f"{known.winner.title}, chosen before: {known.why}")
        return known
    race = Race(run.dataset, run.member, run.folder / "race", run.settings, run.base.folder if run.base else None)
    with bars() as progress:
        shown: dict[tuple[str, int], Bar] = {}
        for heat in interruptible(race):
            key = (heat.candidate.title, heat.heat)
            if key not in shown:
                title = f"heat {heat.heat} of {heat.heats} {heat.candidate.title}"
                epochs = heat.candidate.batch_size / run.dataset.train.units
                shown[key] = Bar(progress, "select", title, heat.until, epochs)
            shown[key].advance(heat.point, race.measure)
            run.steps_trained += 1
    say("select", race.result.why)
    return run.keep("selection", race.result)
