"""Two versions of a model side by side: one page with what they were made from, what they reached and what they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genwright.core.durable import write_text
from genwright.core.errors import ModelError
from genwright.core.record import dotted
from genwright.data.records import DatasetContents
from genwright.evaluation.records import tagged
from genwright.models.records import ModelVersion
from genwright.recipes.upkeep import Canary
from genwright.reports.gallery import Shown, item
from genwright.reports.page import environment
from genwright.sampling.model import Model

ABSENT = "none"

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
    """One canary and what both sides answered."""

    title: str
    answers: tuple[list[Shown], list[Shown]]


def write(path: Path, sides: tuple[Compared, Compared], canaries: list[Canary], device: str) -> Path:
    """Write the page; it needs nothing beside it. Returns `path`."""
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
            asked=ask(((a.folder, a.uses), (b.folder, b.uses)), canaries or [Canary(n=8)], device),
        )
    )
    write_text(path, text)
    return path


def ask(folders: tuple[Opened, Opened], canaries: list[Canary], device: str) -> list[Asked]:
    """What two bundles make when both are asked the same. A side that cannot answer says why."""
    models = [Model(folder, device=device, uses=uses) for folder, uses in folders]
    found = []
    for canary in canaries:
        answers = [_answer(model, canary) for model in models]
        found.append(Asked(canary.words, (answers[0], answers[1])))
    return found


def _answer(model: Model, canary: Canary) -> list[Shown]:
    try:
        return [item(model.content, value) for value in model.generate(**canary.asked)]
    except ModelError as error:
        return [Shown(before=str(error.what))]


def _lines(a: dict[str, str], b: dict[str, str], *, all_: bool = False) -> list[Line]:
    lines = [Line(key, (a.get(key, ABSENT), b.get(key, ABSENT))) for key in dict.fromkeys([*a, *b])]
    return [line for line in lines if all_ or line.differs]


def _told(values: dict[str, Any]) -> dict[str, str]:
    return {key: ABSENT if value is None else str(value) for key, value in dotted(values).items()}
