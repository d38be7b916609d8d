"""One page that tells a person what a run did: a single HTML file with everything inside it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from genwright import __version__
from genwright.durable import write_text
from genwright.exhibit import Exhibits
from genwright.recipe import Recipe
from genwright.records import DatasetVersion, Decision, Evaluation, ModelVersion, Promoted, Record, Round, Selection


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

    @property
    def chosen(self) -> Round:
        """The round whose model was registered."""
        return next(r for r in self.rounds if r.model is not None and r.model.plan.round == self.best)

    @property
    def evaluation(self) -> Evaluation:
        """Of the registered model."""
        assert self.chosen.evaluation is not None
        return self.chosen.evaluation

    @property
    def verdict(self) -> str:
        """What became of the model, in one plain sentence."""
        name, promotion = self.version.name, self.promotion
        failed = "; ".join(v.reason for v in self.decision.verdicts if not v.passed) or promotion.reason
        stays = "there is no champion" if promotion.champion is None else f"version {promotion.champion} stays the champion"
        return {
            "promoted": f"{name} version {promotion.version} is the champion now: {_inside(promotion.reason)}.",
            "champion already": f"{name} version {promotion.champion} is the champion already, with the same weights.",
            "refused": f"{name} version {promotion.version} was refused because {_inside(failed)}; {stays}.",
            "waits": f"{name} version {promotion.version} passed and waits for a person to promote it; {stays}.",
        }[promotion.what]


def write(path: Path, page: RunReport, exhibits: Exhibits) -> Path:
    """Write the page; it needs nothing beside it and asks nothing of the network. Returns `path`."""
    # Everything on the page that came from data is text to jinja2 and is escaped; only the charts are markup.
    environment = Environment(
        loader=PackageLoader("genwright"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("report.html.j2")
    write_text(path, template.render(page=page, exhibits=exhibits, made=_provenance()))
    return path


def _provenance() -> dict[str, str]:
    import torch

    return {
        "Genwright": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _inside(sentence: str) -> str:
    """A sentence as part of another one."""
    text = sentence.removeprefix("It is not promoted: ").rstrip(". ")
    return text.replace("It passes", "it passes", 1)
