"""Two versions of a model side by side: one page with what they were made from, what they reached and what they make."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genwright.core.durable import write_text
from genwright.core.errors import ModelError
from genwright.core.record import dotted
from genwright.data.dataset import Dataset
from genwright.data.modalities.base import decode
from genwright.data.records import DatasetContents
from genwright.evaluation.records import tagged
from genwright.models.records import ModelVersion
from genwright.recipes.upkeep import Canary
from genwright.reports.gallery import Shown, item
from genwright.reports.page import environment
from genwright.sampling.model import Model
from genwright.sampling.task import Input
from genwright.sampling.wish import Doubt

ABSENT = "none"
ITEMS = 4  # held-out items that are asked about where a recipe says nothing

Opened = tuple[Path, Mapping[str, Path]]
"""Where a version lies, and those it pins."""


@dataclass(frozen=True)
class Compared:
    """What is known of one version. `recipe` and `contents` are None where they were not kept."""

    version: ModelVersion
    aliases: list[str]
    tags: dict[str, str]
    recipe: dict[str, Any] | None
    contents: DatasetContents | None
    folder: Path
    uses: dict[str, Path]


@dataclass(frozen=True)
class Line:
    """A value that differs, or one of the measures, which are always shown."""

    key: str
    values: tuple[str, str]

    @property
    def differs(self) -> bool:
        return self.values[0] != self.values[1]


@dataclass(frozen=True)
class Asked:
    """One question and what both sides answered."""

    title: str
    given: list[Shown]
    answers: tuple[list[Shown], list[Shown]]


@dataclass(frozen=True)
class Question:
    """What is asked of both: arguments of `Model.generate`, for a person `title` and what of it can be looked at."""

    title: str
    arguments: dict[str, Any]
    given: list[Shown] = field(default_factory=list)


def _questions(canaries: Sequence[Canary], dataset: Dataset | None, model: Model) -> list[Question]:
    """What a recipe says; where it says nothing, a few samples, asked for like held-out items where a model needs to be given
    something, like made-up ones where the data is gone."""
    if canaries:
        return [Question(canary.words, canary.asked) for canary in canaries]
    needed = [one for one in model.describe.inputs if one.needed]
    if not needed:
        return [Question(Canary().words, Canary(n=8).asked)]
    if dataset is None:
        return [Question("a made-up question", {"n": 1, "seed": Canary().seed, "give": model.example()})]
    return [_question(dataset, row, needed, model) for row in dataset.test.subset(ITEMS)]


def _question(dataset: Dataset, row: int, needed: list[Input], model: Model) -> Question:
    table = dataset.test.table(np.array([row]))
    give: dict[str, Any] = {}
    shown = []
    for one in needed:
        reader = model.graph.reader(one.name)
        if reader is None:  # numbers
            give[one.name] = table[one.name].value[0].tolist()
            continue
        value = decode(reader, table[one.name].value)[0]
        give[one.name] = value.encode() if isinstance(value, str) else value
        shown.append(item(reader, value, one.name))
    title = f"held-out item {dataset.test.digests[row, 0].decode()[:8]}"
    return Question(title, {"n": 1, "seed": Canary().seed, "give": give}, shown)


def write(
    path: Path, sides: tuple[Compared, Compared], canaries: Sequence[Canary], dataset: Dataset | None, device: str
) -> Path:
    """Write the page; it needs nothing beside it. Returns `path`. For `canaries` and `dataset` see `ask`."""
    a, b = sides
    text = (
        environment()
        .get_template("comparison.html.j2")
        .render(
            sides=sides,
            recipe=_lines(*(_told(side.recipe or {}) for side in sides)),
            recipes_known=a.recipe is not None and b.recipe is not None,
            data=_lines(*(_told(side.contents.model_dump(mode="json") if side.contents else {}) for side in sides)),
            measures=_lines(*(tagged(side.tags) for side in sides), all_=True),
            asked=ask(((a.folder, a.uses), (b.folder, b.uses)), canaries, dataset, device),
        )
    )
    write_text(path, text)
    return path


def ask(folders: tuple[Opened, Opened], canaries: Sequence[Canary], dataset: Dataset | None, device: str) -> list[Asked]:
    """What two bundles make when both are asked the same: the canaries or, where there are none, what suits the second, of
    the held-out items of `dataset` (None where that is gone). A side that cannot answer says why."""
    models = [Model(folder, device=device, uses=uses) for folder, uses in folders]
    found = []
    for one in _questions(canaries, dataset, models[1]):
        answers = [_answer(model, one.arguments) for model in models]
        found.append(Asked(one.title, one.given, (answers[0], answers[1])))
    return found


def _answer(model: Model, arguments: dict[str, Any]) -> list[Shown]:
    try:
        with warnings.catch_warnings(action="ignore", category=Doubt):  # both are asked the same
            wishes = model.wishes(**arguments)
        return [item(model.content, v, model.asked(wish)) for v, wish in zip(model.grant(wishes), wishes, strict=True)]
    except ModelError as error:
        return [Shown(before=str(error.what))]


def _lines(a: dict[str, str], b: dict[str, str], *, all_: bool = False) -> list[Line]:
    lines = [Line(key, (a.get(key, ABSENT), b.get(key, ABSENT))) for key in dict.fromkeys([*a, *b])]
    return [line for line in lines if all_ or line.differs]


def _told(values: dict[str, Any]) -> dict[str, str]:
    return {key: ABSENT if value is None else str(value) for key, value in dotted(values).items()}
