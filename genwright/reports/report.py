"""One page that tells a person what a run did: a single HTML file with everything inside it."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup
from pydantic import Field

from genwright import __version__
from genwright.core.durable import write_text
from genwright.core.record import Record
from genwright.data import quarantine
from genwright.data.dataset import Dataset
from genwright.data.records import DatasetVersion
from genwright.evaluation.metrics.base import metrics, split
from genwright.evaluation.records import Evaluation, Measured
from genwright.lifecycle.records import Decision, Promoted
from genwright.models.records import ModelVersion, Used
from genwright.recipes.recipe import Recipe
from genwright.reports.advice import next_steps
from genwright.reports.chart import interval, lines
from genwright.reports.comparison import Asked
from genwright.reports.gallery import Exhibits
from genwright.reports.page import environment
from genwright.reports.strip import Strip
from genwright.training.data_curve import DataCurve
from genwright.training.records import Round, Selection, TrainedModel


class RunReport(Record):
    """All that a run gave. `best` is the number of the round whose model was registered."""

    recipe: Recipe
    data: DatasetVersion
    selection: Selection
    rounds: list[Round]
    best: int
    version: ModelVersion
    decision: Decision
    promotion: Promoted
    identity: str
    whole: Evaluation | None = Field(None, description="of a composition; the rounds are those of its last member")
    uses: dict[str, Used] = Field(default_factory=dict, description="the versions it consists of, or was made over")
    curve: DataCurve | None = Field(None, description="what came of fewer items, where that was asked for")

    @property
    def chosen(self) -> Round:
        """The round whose model was registered."""
        return next(r for r in self.rounds if r.model is not None and r.model.plan.round == self.best)

    @property
    def evaluation(self) -> Evaluation:
        """Of the registered model."""
        if self.whole is not None:
            return self.whole
        assert self.chosen.evaluation is not None
        return self.chosen.evaluation

    @property
    def verdict(self) -> str:
        """What became of the model, in one plain sentence."""
        name, promotion = self.version.name, self.promotion
        failed = "; ".join(v.reason for v in self.decision.verdicts if not v.passed) or promotion.reason
        won = "it passes its gates and is the first" if self.decision.champion is None else _inside(promotion.reason)
        stays = "there is no champion" if promotion.champion is None else f"version {promotion.champion} stays the champion"
        return {
            "promoted": f"{name} version {promotion.version} is the champion now: {won}.",
            "champion already": f"{name} version {promotion.champion} is the champion already, with the same weights.",
            "refused": f"{name} version {promotion.version} was refused because {_inside(failed)}; {stays}.",
            "waits": f"{name} version {promotion.version} passed and waits for a person to promote it; {stays}.",
        }[promotion.what]


def write(
    path: Path,
    page: RunReport,
    dataset: Dataset,
    exhibits: Exhibits,
    before_and_after: Sequence[Asked] = (),
    strips: Sequence[Strip] = (),
) -> Path:
    """Write the page; it needs nothing beside it and asks nothing of the network. `before_and_after` is what the champion
    it was compared with and the new version make when asked the same; `strips` what was made while each round trained.
    Returns `path`."""
    contents = page.data.contents
    kept = sum(contents.splits.values())
    dropped = sum(contents.dropped.values())
    text = (
        environment()
        .get_template("report.html.j2")
        .render(
            page=page,
            contents=contents,
            kept=kept,
            dropped=dropped,
            examples=[item for items in quarantine.examples(dataset.folder).values() for item in items],
            shown=exhibits,
            before_and_after=before_and_after,
            strips=strips or [[]] * len(page.rounds),
            curves=[_curves(r.model) if r.model else [] for r in page.rounds],
            explain={key: metrics.get(split(key)[0]) for key in page.evaluation.measures},
            interval=interval,
            alarms=_alarms(page.evaluation),
            declared=_declared,
            steps=next_steps(
                page.recipe, page.chosen, page.version, page.decision, page.promotion, dropped / max(1, kept + dropped)
            ),
            provenance=_provenance(page),
        )
    )
    write_text(path, text)
    return path


def _alarms(evaluation: Evaluation) -> list[str]:
    """What is wrong by some measure, in words."""
    found = ((metrics.get(split(key)[0]).alarm(measured)) for key, measured in evaluation.measures.items())
    return [words for words in found if words is not None]


def _declared(measured: Measured) -> dict[str, str]:
    """What a figure is worth nothing without: by what it was taken, and of how many."""
    if not {"extractor", "pool"} & set(measured.detail):
        return {}
    numbers = {name: f"{value:.4g}" for name, value in measured.detail.items() if isinstance(value, int | float)}
    return {name: value for name, value in measured.detail.items() if isinstance(value, str)} | numbers


def _curves(model: TrainedModel) -> list[tuple[str, Markup]]:
    """The titled charts of a round: losses by player, held-out loss, and the measure that chose the weights."""
    curve, measure = model.curve, model.plan.measure
    losses: dict[str, list[tuple[float, float]]] = {}
    for point in curve:
        for player, loss in point.losses.items():
            losses.setdefault(f"loss of the {player}", []).append((point.step, loss))
    held_out = {
        "training items": [(p.step, p.train_loss) for p in curve if p.train_loss is not None],
        "held-out items": [(p.step, p.validation_loss) for p in curve if p.validation_loss is not None],
    }
    score = [(p.step, p.score) for p in curve if p.score is not None]
    better = metrics.get(measure).better
    charts = [
        ("Loss at every step", lines(losses)),
        ("Loss of the averaged model", lines(held_out)),
        (
            f"{measure} on held-out items ({better} is better; the upright line marks step {model.best_step}: {model.kept})",
            lines({measure: score}, mark=model.best_step),
        ),
    ]
    return [(title, chart) for title, chart in charts if chart]


def _provenance(page: RunReport) -> dict[str, str]:
    import torch

    return {
        "data (DVC hash)": page.data.digest,
        "recipe (fingerprint)": page.version.recipe,
        "weights (SHA-256)": page.version.weights,
        **{f"made over {key}": f"{used.model} version {used.version}" for key, used in page.uses.items()},
        "identity of the run": page.identity,
        "MLflow run of the round": page.version.run,
        "Genwright": __version__,
        "Python": platform.python_version(),
        "torch": str(torch.__version__),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _inside(sentence: str) -> str:
    """A sentence as part of another one."""
    text = sentence.removeprefix("It is not promoted: ").rstrip(". ")
    return text.replace("It passes", "it passes", 1)
