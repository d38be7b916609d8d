"""Stage: the page about the run, its samples, and the outcome in one sentence."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow.runs import Runs
from genwright.adapters.mlflow.versions import Versions
from genwright.core.record import fingerprint
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.records import Decision, Outcome, Promoted
from genwright.lifecycle.run import Run
from genwright.models.device import choose
from genwright.models.records import ModelVersion
from genwright.reports import gallery
from genwright.reports import report as library
from genwright.reports.comparison import Asked, ask
from genwright.reports.latest import PAGE, RECORD, Written
from genwright.reports.report import RunReport
from genwright.reports.strip import strip
from genwright.tasks.data_curve import CURVE
from genwright.tasks.display import say
from genwright.training.data_curve import DataCurve
from genwright.training.records import Round, Selection

SHEET = "samples"


@task(name="report", cache_policy=NO_CACHE)
def report(
    run: Run,
    selection: Selection,
    rounds: list[Round],
    best: Round,
    version: ModelVersion,
    decision: Decision,
    promotion: Promoted,
    whole: Evaluation | None = None,
) -> Outcome:
    """The outcome; writes page and samples into the run's folder and logs them, unless they are there already. `whole` is
    the evaluation of a composition; selection and rounds are then those of the model that was made last."""
    assert best.model is not None
    page = RunReport(
        recipe=run.recipe,
        data=run.version,
        selection=selection,
        rounds=rounds,
        best=best.model.plan.round,
        version=version,
        decision=decision,
        promotion=promotion,
        identity=run.identity,
        whole=whole,
        uses=run.uses,
        curve=run.recall(CURVE, DataCurve) if run.recipe.data_curve and whole is None else None,
    )
    written = publish(run, page)
    _summarise(page, run)
    return Outcome(
        name=version.name,
        data=run.version.digest,
        version=promotion.champion if promotion.what == "champion already" and promotion.champion else version.version,
        what=promotion.what,
        champion=promotion.champion,
        verdict=page.verdict,
        evaluation=page.evaluation,
        samples=str(run.folder / written.samples),
        report=str(run.folder / PAGE),
        steps_trained=run.steps_trained,
    )


def publish(run: Run, page: RunReport) -> Written:
    """Write page and samples and log them, unless the same were written before."""
    # Not the promotion: a page that tells how a version became champion is not replaced by one that says it is one.
    told = page.model_dump(mode="json", exclude={"decision", "promotion"})
    inputs = fingerprint(told, page.promotion.champion)
    known = run.recall(RECORD, Written)
    if known is not None and known.inputs == inputs and all((run.folder / n).is_file() for n in (PAGE, known.samples)):
        return run.keep(RECORD, known)  # so that it is the newest again
    folder, uses = Versions(run.workspace).opened(page.version)
    drawn = run.samples(page.chosen.model.plan if page.whole is None and page.chosen.model is not None else None)
    device, measures = str(choose(run.settings)), page.evaluation.measures
    exhibits = gallery.gather(folder, run.dataset, run.member.evaluation, device, measures, uses, samples=drawn)
    strips = [[] if one.model is None else strip(run.round(one.model.plan)) for one in page.rounds]
    file = library.write(run.folder / PAGE, page, run.dataset, exhibits, _before_and_after(run, page), strips)
    sheet = exhibits.preview(run.folder / SHEET)
    runs = Runs(run.workspace)
    parent = runs.parent_run(run.recipe.name, run.identity, run.recipe.description)
    for made in (file, sheet):
        runs.log_artifact(parent, made, "report")
    say("report", f"{file}")
    return run.keep(RECORD, Written(recipe=run.recipe.name, inputs=inputs, samples=sheet.name))


def _before_and_after(run: Run, page: RunReport) -> list[Asked]:
    """What the champion that was compared with makes beside the new version; nothing where there was none."""
    champion = page.decision.champion
    if champion is None or champion == page.version.version:
        return []
    versions = Versions(run.workspace)
    old, new = (versions.opened(versions.get(page.version.name, number)) for number in (champion, page.version.version))
    return ask((old, new), run.recipe.canaries, run.dataset, str(choose(run.settings)))


def _summarise(page: RunReport, run: Run) -> None:
    """The verdict and the measures as an artifact of the flow run."""
    rows = [f"| {name} | {m.value:.4g} | {m.low:.4g} to {m.high:.4g} |" for name, m in page.evaluation.measures.items()]
    table = "\n".join(["| measure | value | 95 % interval |", "|---|---|---|", *rows])
    key = "genwright-" + "".join(c if c.isalnum() else "-" for c in page.recipe.name)
    text = f"# {page.version.name}\n\n{page.verdict}\n\n{page.selection.why}\n\n{table}\n\nReport: `{run.folder / PAGE}`\n"
    create_markdown_artifact(text, key=key, description=page.verdict)
