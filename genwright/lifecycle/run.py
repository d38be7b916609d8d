"""One run of a recipe on one data version: where its records lie, and which of them still count.

A run is identified by what bears on its result, so the same command finds the same folder, and a stage whose record is
there and whose bytes verify is not done again. That, not the orchestrator's cache, makes a rerun cheap and a resume
correct.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import Field

from genwright import __version__
from genwright.core import stored
from genwright.core.record import fingerprint
from genwright.core.stored import S, Stored
from genwright.core.workspace import Settings, Workspace
from genwright.data.clean import clean
from genwright.data.dataset import Dataset
from genwright.data.records import DatasetVersion
from genwright.models.records import ModelVersion, Plan, Used
from genwright.models.reencode import as_read_by
from genwright.recipes import stages
from genwright.recipes.members import Member
from genwright.recipes.recipe import Recipe
from genwright.training.records import Round

COMPOSITION, CROSSED = "composition", "crossed"
"""Folders, within that of a run: what several models make together; a model with those of the other folds."""


class Begun(Stored):
    """`run.json`: which recipe and data a run folder belongs to."""

    form = "run"
    format = 2
    upgrades = (lambda old: {**old, "model": ""},)

    recipe: str
    data: str
    model: str = Field("", description="which of several models of the recipe")


@dataclass(frozen=True)
class Base:
    """The champion that a retraining may go on from, its bundle verified."""

    version: ModelVersion
    folder: Path


class Run:
    """One model of a recipe on one data version. `identity` is the fingerprint of all that bears on the result: what the
    recipe says of this model, the data, the release of Genwright and those that brought the parts, the versions it is made
    over (`uses`, by the name the recipe has for each), and the champion to go on from where there is one. `kept` is the
    folder of derived columns computed for it."""

    def __init__(
        self,
        recipe: Recipe,
        member: Member,
        version: DatasetVersion,
        workspace: Workspace,
        settings: Settings,
        base: Base | None = None,
        uses: Mapping[str, Used] | None = None,
    ) -> None:
        self.recipe, self.member, self.version, self.base = recipe, member, version, base
        self.workspace, self.settings = workspace, settings
        self.uses = dict(uses or {})
        told = [member.told, version.digest, __version__, recipe.providers, self.uses]
        self.identity = fingerprint(*told, *([base.version.weights] if base else []))
        self.steps_trained = 0  # by this process; 0 at the end means that everything was there already

    @property
    def name(self) -> str:
        """What the model is registered as."""
        return self.member.name

    @property
    def folder(self) -> Path:
        return self.workspace.run(self.identity)

    @property
    def cleaned(self) -> Dataset:
        """The data version, as this model sees it."""
        kept = self.workspace.derived(self.recipe.name)
        return Dataset(self.workspace.root / self.version.path, self.member.view, kept)

    @cached_property
    def dataset(self) -> Dataset:
        """The data as the models of this run read it: with the champion's tokenizer and labels where it may go on."""
        return self.cleaned if self.base is None else as_read_by(self.base.folder, self.cleaned, self.folder / "dataset")

    def round(self, plan: Plan, fold: int = 0) -> Path:
        """Folder of a round: its checkpoints while it trains, its bundle afterwards; or the same without another part."""
        return (self.part(fold) if fold else self.folder) / f"round-{plan.round}"

    def part(self, fold: int) -> Path:
        """Folder of what is made where another part of the items is held out."""
        return self.folder / f"fold-{fold}"

    def bundle(self, plan: Plan) -> Path:
        """What is registered of a round: with the models that cross-validation trained, where it is asked for."""
        return self.folder / CROSSED if self.recipe.split.folds > 1 else self.round(plan) / "bundle"

    @cached_property
    def folds(self) -> Sequence[Dataset]:
        """The data version with each part of the items held out in turn, this one first."""
        return [self.cleaned, *(self._without(fold) for fold in range(1, self.recipe.split.folds))]

    def _without(self, fold: int) -> Dataset:
        """The same items with another part held out, cleaned anew, since of two alike the one that is trained on goes; by
        every process, since it takes little and what lies there may have been altered."""
        place = self.part(fold) / "data"
        clean(stages.cleaning(self.recipe).model_copy(update={"fold": fold}), self.cleaned.folder, place)
        return Dataset(place, self.member.view)

    def samples(self, plan: Plan | None) -> Path:
        """File of the samples that the evaluation of a round drew; without a plan, that of what several models make."""
        return (self.folder if plan is None else self.round(plan)) / "samples.safetensors"

    def recall(self, name: str, kind: type[S]) -> S | None:
        """The record stored under a name; None when there is none that can be read, and the stage is to be done again."""
        return stored.readable(kind, self.folder / f"{name}.json")

    def keep(self, name: str, record: S) -> S:
        """Store a record under a name, and hand it back."""
        stored.write(self.folder / f"{name}.json", record)
        return record

    def begin(self) -> None:
        """Leave word of whose folder this is."""
        self.keep("run", Begun(recipe=self.recipe.name, data=self.version.digest, model=self.member.key))


def reached(folder: Path) -> str:
    """The last stage a run folder has a record of, in words."""
    if (folder / "report.json").is_file():
        return "finished"
    rounds = sorted(int(p.parent.name.removeprefix("round-")) for p in folder.glob("round-*/trained.json"))
    if rounds:
        return failed(folder) or f"round {rounds[-1]} trained"
    training = any(folder.glob("round-*/checkpoints"))
    if (folder / "selection.json").is_file():
        return "in the first round" if training else "selected"
    return "in the race" if (folder / "race").is_dir() else "data made"


def failed(folder: Path) -> str | None:
    """Why a run folder holds no model, where the last of its rounds gave none."""
    records = sorted(folder.glob("round-*-record.json"), key=lambda path: int(path.name.split("-")[1]))
    last = stored.readable(Round, records[-1]) if records else None
    if last is None or last.evaluation is not None:
        return None
    return f"round {len(records)} gave no model: {last.diagnosis.finding}, {last.diagnosis.evidence}"


def newest(workspace: Workspace, recipe: str) -> tuple[Path, Begun] | None:
    """The folder of the run of a recipe that was begun or gone on with last; None when there is none that can be read."""
    return next(iter(begun(workspace, recipe)), None)


def begun(workspace: Workspace, recipe: str) -> list[tuple[Path, Begun]]:
    """The folders of all runs of a recipe, the one that was begun or gone on with last first."""
    found = []
    for file in (workspace.state / "runs").glob("*/run.json"):
        told = stored.readable(Begun, file)
        if told is not None and told.recipe == recipe:
            found.append((file.stat().st_mtime_ns, file.parent, told))
    return [(folder, told) for _, folder, told in sorted(found, key=lambda one: one[0], reverse=True)]
