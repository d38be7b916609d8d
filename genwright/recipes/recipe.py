"""A recipe: what data, what kind of content, what is good enough. YAML in, a frozen, strict, fully validated record out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from genwright.core.errors import GenwrightError, RecipeError, nearest
from genwright.core.explain import explain
from genwright.core.plugins import Plugins
from genwright.core.record import Part, Record, fingerprint
from genwright.core.span import Span
from genwright.data.filters.base import filters
from genwright.data.modalities.base import modalities
from genwright.data.sources.base import sources
from genwright.data.split import Splitting
from genwright.evaluation.bounds import Bound
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import EvaluationSpec
from genwright.models.architectures.base import architectures
from genwright.recipes.upkeep import Canary, Promotion, Schedule, SpendingLimits
from genwright.triggers.base import triggers


def _part_of(registry: Plugins[Any]) -> BeforeValidator:
    """Accept `NAME` or `{kind: NAME, option: value}` and validate the options by the part's own model."""

    def validate(value: Any) -> Any:
        if isinstance(value, str):
            value = {"kind": value}
        if isinstance(value, Part):
            return value
        if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
            raise ValueError(f"expected a name or a mapping with `kind`; kinds: {', '.join(registry.all())}")
        given = {k: v for k, v in value.items() if k != "kind"}
        if set(given) == {"options"} and isinstance(given["options"], dict):
            given = given["options"]
        try:
            kind = registry.get(value["kind"])
        except GenwrightError as error:
            raise ValueError(str(error)) from error
        try:
            options = kind.Options.model_validate(given)
        except ValidationError as error:
            raise ValueError("; ".join(explain(error, kind.Options, value["kind"]))) from error
        return Part(kind=value["kind"], options=options.model_dump(mode="json", exclude_defaults=True))

    return BeforeValidator(validate)


ContentPart = Annotated[Part, _part_of(modalities)]
SourcePart = Annotated[Part, _part_of(sources)]
FilterPart = Annotated[Part, _part_of(filters)]
TriggerPart = Annotated[Part, _part_of(triggers)]


class Budget(Record):
    """Work, either as minutes (turned into steps once, by a short measurement, and stored in the plan) or as steps
    (the same on every machine). Exactly one of the two."""

    minutes: float | None = Field(None, gt=0)
    steps: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> Budget:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("give either `minutes` or `steps`")
        return self


class Selecting(Record):
    """Which families race, at which sizes, and what the race may cost."""

    families: list[str] | None = Field(None, description="default: every family that accepts the shapes")
    dials: list[float] = Field([1.0], min_length=1, description="sizes; 1 suits a laptop and a small data set")
    budget: Budget = Budget(minutes=2)
    heats: int = Field(2, ge=1, le=5, description="heats of the race; after each the worse half drops out")
    memory_gib: float = Field(8.0, gt=0, description="a candidate estimated to need more is rejected")


class Training(Record):
    """What a round may cost, and settings that replace the family's own."""

    budget: Budget = Budget(minutes=5)
    rounds: int = Field(3, ge=1, le=10)
    seed: int = Field(0, ge=0)
    batch_size: int | None = Field(None, gt=0)
    learning_rate: float | None = Field(None, gt=0)
    optimizer: Literal["adamw", "muon"] | None = None
    weight_decay: float | None = Field(None, ge=0)
    average: float | None = Field(None, ge=0, lt=1)
    precision: Literal["float32", "bfloat16"] | None = None
    evaluate: int = Field(8, ge=1, description="held-out measures taken during a round")
    patience: int = Field(0, ge=0, description="held-out measures without improvement before stopping early; 0: never")


def _known_metric(bounds: dict[str, Bound]) -> dict[str, Bound]:
    for name in bounds:
        try:
            metrics.get(name)
        except GenwrightError as error:
            raise ValueError(str(error)) from error
    return bounds


class Watching(Record):
    """What is measured between trainings, how often, and what leads to a retraining."""

    every: Span = "15m"
    triggers: list[TriggerPart] = Field(default_factory=list)


UPKEEP = {"description", "schedule", "watch", "promotion", "limits", "canaries"}
"""Keys of a recipe that do not bear on what a run makes."""


class Recipe(Record):
    """The whole intention. Everything here but the keys in UPKEEP bears on what a run makes."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    description: str = ""
    content: ContentPart
    condition: ContentPart | None = None
    sources: list[SourcePart] = Field(min_length=1)
    retain: bool = Field(False, description="items once collected stay, though their source has lost them")
    cleaning: list[FilterPart] = Field(default_factory=list)
    split: Splitting = Splitting()
    select: Selecting = Selecting()
    train: Training = Training()
    accept: Annotated[dict[str, Bound], AfterValidator(_known_metric)] = Field(
        default_factory=dict, description="measure to its bound; a measure that cannot be taken fails its gate"
    )
    samples: int = Field(500, ge=1, description="samples drawn for the evaluation")
    sampling: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="sampling options by family, e.g. {diffusion: {guidance: 1.5}}"
    )
    schedule: Schedule | None = Field(None, description="when to retrain; default: when asked or triggered")
    watch: Watching = Watching()
    promotion: Promotion = Promotion()
    limits: SpendingLimits = SpendingLimits()
    canaries: list[Canary] = Field(default_factory=list)

    @property
    def identity(self) -> str:
        """Fingerprint of what bears on the result."""
        return fingerprint(self.model_dump(mode="json", exclude=UPKEEP))

    @property
    def evaluation(self) -> EvaluationSpec:
        """How its models are measured."""
        return EvaluationSpec(samples=self.samples)

    @model_validator(mode="after")
    def _families(self) -> Recipe:
        try:
            for family in [*(self.select.families or []), *self.sampling]:
                architectures.get(family)
            for family, options in self.sampling.items():
                architectures.get(family).Options.model_validate(options)
        except GenwrightError as error:
            raise ValueError(str(error)) from error
        return self


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
        given = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not YAML.", got=error, do="mend the line it names") from error
    if not isinstance(given, dict):
        raise RecipeError(f"{path} is not a mapping of keys to values.", got=type(given).__name__)
    for override in overrides or []:
        _override(given, override)
    return parse(given, str(path))


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
        place[int(last) if isinstance(place, list) else last] = value
    except (yaml.YAMLError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise RecipeError("An override does not fit the recipe.", got=override, do=f"mend it: {error}") from error


def schema() -> dict[str, Any]:
    """JSON schema of a recipe file, for editors: parts as `{kind, ...options}` of everything registered."""
    base = Recipe.model_json_schema()
    for field, registry in (("content", modalities), ("condition", modalities), ("sources", sources), ("cleaning", filters)):
        shapes: list[dict[str, Any]] = [{"enum": list(registry.all())}]
        for name, part in registry.all().items():
            options = part.Options.model_json_schema()
            base["$defs"].update(options.pop("$defs", {}))
            options["properties"] = {"kind": {"const": name}, **options.get("properties", {})}
            options["required"] = ["kind", *options.get("required", [])]
            shapes.append(options)
        one: dict[str, Any] = {"anyOf": shapes}
        if field == "condition":
            shapes.append({"type": "null"})
        base["properties"][field] = {"type": "array", "items": one} if field in ("sources", "cleaning") else one
    base["properties"]["accept"]["propertyNames"] = {"enum": list(metrics.all())}
    base["title"] = "Genwright recipe"
    return base
