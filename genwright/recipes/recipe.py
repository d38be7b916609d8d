"""A recipe: what data, what kind of content, what is good enough. YAML in, a frozen, strict, fully validated record out."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from genwright import __version__
from genwright.core.errors import GenwrightError, RecipeError, nearest
from genwright.core.explain import explain
from genwright.core.plugins import Plugins
from genwright.core.record import Part, Record, fingerprint
from genwright.core.span import Span
from genwright.data.derivations.base import derivations
from genwright.data.filters.base import filters
from genwright.data.item import content_first
from genwright.data.modalities.base import modalities
from genwright.data.sources.base import sources
from genwright.data.split import Splitting
from genwright.evaluation.bounds import Bounds
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import EvaluationSpec, Tasks
from genwright.models.architectures.base import architectures
from genwright.recipes.members import MOST_SAMPLES, Asked, Member, MemberSpec, Selecting, Training, members, whole
from genwright.recipes.outline import impossible
from genwright.recipes.parts import ContentPart, DerivedColumn, FilterPart, SourcePart, TriggerPart, with_parts
from genwright.recipes.upkeep import Canary, Promotion, Schedule, SpendingLimits


class Watching(Record):
    """What is measured between trainings, how often, and what leads to a retraining."""

    every: Span = "15m"
    triggers: list[TriggerPart] = Field(default_factory=list)


UPKEEP = {"description", "schedule", "watch", "promotion", "limits", "canaries", "data_curve"}
"""Keys of a recipe that do not bear on what a run makes."""


COLUMN = re.compile(r"[a-z][a-z0-9_]*")
OWN = f"genwright {__version__}"


class Recipe(Record):
    """The whole intention. Everything here but the keys in UPKEEP bears on what a run makes."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    description: str = ""
    content: ContentPart | None = Field(None, description="short for the first of `columns`, called `content`")
    condition: ContentPart | None = Field(None, description="short for another of `columns`, called `condition`")
    columns: dict[str, ContentPart] = Field(
        default_factory=dict, description="what items bring, the first is what they are known by; `?`: items may lack it"
    )
    derived: dict[str, DerivedColumn] = Field(default_factory=dict, description="columns made from others")
    sources: list[SourcePart] = Field(min_length=1)
    retain: bool = Field(False, description="items once collected stay, though their source has lost them")
    cleaning: list[FilterPart] = Field(default_factory=list)
    split: Splitting = Splitting()
    makes: str | None = Field(None, description="the column that is made in the end; default: the first")
    given: list[Asked] | None = Field(
        None, description="what the only model is given, as in `models`; default: every other column of items"
    )
    select: Selecting = Selecting()
    train: Training = Training()
    models: dict[str, MemberSpec] = Field(default_factory=dict, description="several models, trained one over another")
    tasks: Tasks = Field(
        default_factory=list,
        description="what it is measured at, task to the columns it gives, e.g. {draw: [label], complete: [label, known]}; "
        "default: one task with all that is given",
    )
    accept: Bounds = Field(
        default_factory=dict, description="MEASURE or MEASURE@TASK to its bound; one that cannot be taken fails its gate"
    )
    samples: int = Field(500, ge=1, le=MOST_SAMPLES, description="samples drawn for the evaluation")
    sampling: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="sampling options by family, e.g. {diffusion: {guidance: 1.5}}"
    )
    config: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="fields of a family's config that are set, e.g. {vae: {spatial: 2}}"
    )
    schedule: Schedule | None = Field(None, description="when to retrain; default: when asked or triggered")
    watch: Watching = Watching()
    promotion: Promotion = Promotion()
    limits: SpendingLimits = SpendingLimits()
    canaries: list[Canary] = Field(default_factory=list)
    data_curve: bool = Field(
        False, description="train the best model also on a quarter and on half of the items, to say whether more would help"
    )
    _overrides: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """Fingerprint of what bears on the result."""
        return fingerprint(self.model_dump(mode="json", exclude=UPKEEP), self.content_name, self.providers)

    @property
    def overrides(self) -> tuple[str, ...]:
        """The `KEY=VALUE` with which it was read, which are in its values: for advice on how to read it so again."""
        return self._overrides

    @property
    def content_name(self) -> str:
        """The column that items are known by."""
        return "content" if self.content is not None else next(iter(self.columns)).rstrip("?")

    @property
    def recorded(self) -> dict[str, Part]:
        """The columns that items bring, the content first."""
        short = {"content": self.content, "condition": self.condition}
        every = {name: part for name, part in short.items() if part is not None}
        every |= {name.rstrip("?"): part for name, part in self.columns.items()}
        return content_first(every, self.content_name)

    @property
    def may_lack(self) -> list[str]:
        """The columns without which an item is kept: those marked with `?`, and labels."""
        marked = {name.rstrip("?") for name in self.columns if name.endswith("?")}
        return [n for n, part in self.recorded.items() if n in marked or modalities.get(part.kind).optional]

    @cached_property
    def members(self) -> list[Member]:
        """The models in the order in which they can be made."""
        return members(self)

    @property
    def whole(self) -> Member | None:
        """What the models make together; None where there is but one."""
        return whole(self) if self.models else None

    @property
    def outcome(self) -> Member:
        """What it makes in the end: the only model, or what several make together."""
        return self.whole or self.members[-1]

    @property
    def evaluation(self) -> EvaluationSpec:
        """How what it makes in the end is measured."""
        return self.outcome.evaluation

    @property
    def providers(self) -> dict[str, str]:
        """Distribution and release of the parts it names that are not of this one, and of every family that could race."""
        named: list[tuple[Plugins[Any], str]] = [(modalities, part.kind) for part in self.recorded.values()]
        named += [(sources, part.kind) for part in self.sources] + [(filters, part.kind) for part in self.cleaning]
        named += [(derivations, one.part.kind) for one in self.derived.values()]
        named += [(architectures, name) for name in architectures.all()]
        found = {f"{plugins.room} {name}": plugins.provider(name) for plugins, name in named}
        return {part: by for part, by in sorted(found.items()) if by != OWN}

    @field_validator("models")
    @classmethod
    def _said_for_all(cls, models: dict[str, MemberSpec], told: ValidationInfo) -> dict[str, MemberSpec]:
        """Keys of `select` and `train` that a model does not name are as the recipe has them."""
        return {key: spec.over(told.data.get("select"), told.data.get("train")) for key, spec in models.items()}

    @model_validator(mode="after")
    def _columns(self) -> Recipe:
        if (self.content is None) == (not self.columns) or (self.columns and self.condition):
            raise ValueError("give either `content` (and perhaps `condition`), or `columns`")
        names = [*(name.rstrip("?") for name in self.columns), *self.derived]
        if odd := [name for name in names if not COLUMN.fullmatch(name)]:
            raise ValueError(f"a column is called by small letters, digits and _, e.g. caption; not {odd[0]!r}")
        if self.models and self.given is not None:
            raise ValueError("`given` is said of each of `models`")
        if self.models and self.split.folds > 1:
            raise ValueError("`split.folds` cross-validates one model, not several `models`")
        if twice := set(self.recorded) & set(self.derived):
            raise ValueError(f"{min(twice)!r} is a column of items and derived as well")
        return self

    @model_validator(mode="after")
    def _families(self) -> Recipe:
        try:
            for member in self.members:
                for family in [*(member.select.families or []), *member.sampling, *member.config]:
                    architectures.get(family)
                for family, options in member.sampling.items():
                    architectures.get(family).Options.model_validate(options)
                for family, fields in member.config.items():
                    architectures.get(family).Config.model_validate(fields)
        except GenwrightError as error:
            raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _bounds(self) -> Recipe:
        """Tasks that give other columns, and bounds that no model could meet, are known before any work is done."""
        judged = [*self.members, *([self.whole] if self.whole is not None else [])]
        try:
            found = [problem for member in judged for problem in impossible(self.recorded, member)]
        except GenwrightError as error:
            raise ValueError(str(error)) from error
        if found:
            raise ValueError("; ".join(found))
        return self


EITHER = ({"minutes", "steps"}, {"cron", "every"})
"""Keys of which a mapping has one."""


class OnceLoader(yaml.SafeLoader):
    """YAML in which a key may stand but once: of two the one that is meant cannot be known."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} stands there twice", node.value[place][0].start_mark
                )
        return super().construct_mapping(node, deep=deep)


def load(path: Path, overrides: list[str] | None = None) -> Recipe:
    """The recipe in a YAML file, with `a.b=value` overrides. Raises RecipeError naming every problem at once."""
    if not path.is_file():
        there = sorted(p.stem for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise RecipeError(
            f"There is no recipe at {path}{nearest(path.stem, there)}.",
            allowed=", ".join(there) or None,
            do="`genwright new NAME --from FOLDER` writes one",
        )
    try:
        given = OnceLoader(path.read_text()).get_single_data()
    except RecursionError as error:
        raise RecipeError(f"{path} is nested too deeply to be a recipe.", do="take out brackets that are not needed") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not YAML.", got=error, do="mend the line it names") from error
    if not isinstance(given, dict):
        raise RecipeError(f"{path} is not a mapping of keys to values.", got=type(given).__name__)
    for override in overrides or []:
        _override(given, override)
    recipe = parse(given, str(path))
    recipe._overrides = tuple(overrides or ())
    return recipe


def parse(given: dict[str, Any], where: str = "recipe") -> Recipe:
    """A recipe from plain values. Raises RecipeError naming every problem at once."""
    try:
        return Recipe.model_validate(given)
    except ValidationError as error:
        lines = "\n".join(f"  - {line}" for line in explain(error, Recipe))
        raise RecipeError(f"{where} has {error.error_count()} problem(s):\n{lines}") from error


def _override(given: dict[str, Any], override: str) -> None:
    """Put the value of `a.b=value` (a YAML value) into place; a number is a place in a list."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError("An override is KEY=VALUE.", got=override, allowed="e.g. train.budget.steps=500")
    *path, last = key.split(".")
    place: Any = given
    try:
        value = yaml.safe_load(text)
        for step in path:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        if isinstance(place, dict):
            for others in (either - {last} for either in EITHER if last in either):
                for other in others:  # of two ways to say a thing the later one counts
                    place.pop(other, None)
        place[int(last) if isinstance(place, list) else last] = value
    except (yaml.YAMLError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise RecipeError("An override does not fit the recipe.", got=override, do=f"mend it: {error}") from error


def schema() -> dict[str, Any]:
    """JSON schema of a recipe file, for editors: parts as `{kind, ...options}` of everything registered."""
    base = with_parts(Recipe.model_json_schema())
    base["properties"]["accept"]["propertyNames"] = {"pattern": f"^({'|'.join(metrics.all())})(@[a-z0-9_-]+)?$"}
    base["title"] = "Genwright recipe"
    return base
