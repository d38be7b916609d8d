"""The models of a recipe: what each makes from what, how it is chosen, trained and judged, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field, model_validator

from genwright.core.errors import RecipeError, nearest
from genwright.core.record import Part, Record, fingerprint
from genwright.data.derivations.base import derivations
from genwright.data.view import Derived, View, Wanted, main_of
from genwright.evaluation.bounds import Bounds
from genwright.evaluation.records import EvaluationSpec, Tasks

MOST_SAMPLES = 1_000_000


class Budget(Record):
    """Work, either as minutes (turned into steps once, by a short measurement, and stored in the plan) or as steps
    (the same on every machine). Exactly one of the two."""

    minutes: float | None = Field(None, gt=0, le=10**6)
    steps: int | None = Field(None, gt=0, le=10**9)

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
    seed: int = Field(0, ge=0, lt=2**32)
    batch_size: int | None = Field(None, gt=0, le=10**6)
    learning_rate: float | None = Field(None, gt=0)
    optimizer: Literal["adamw", "muon"] | None = None
    weight_decay: float | None = Field(None, ge=0)
    average: float | None = Field(None, ge=0, lt=1)
    precision: Literal["float32", "bfloat16"] | None = None
    evaluate: int = Field(8, ge=1, description="held-out measures taken during a round, at most; fewer where they are dear")
    patience: int = Field(0, ge=0, description="held-out measures without improvement before stopping early; 0: never")


class Use(Record):
    """A registered model that is not trained here."""

    model: str
    version: int | Literal["champion"] = Field("champion", description="the champion at the time of the run, or a version")


Asked = str | dict[str, Annotated[float, Field(ge=0, lt=1)]]
"""A column that a model is given, or columns with the share of training rows each is hidden from."""
ASKED = "columns it is given; `?` after a name: an item may lack it; {NAME: SHARE}: hidden from that share of training rows"


class MemberSpec(Record):
    """One model of a recipe, as written. What it does not say is said by the recipe as a whole."""

    makes: str | None = Field(None, description="the column it makes; none for one that relates what it is given")
    given: list[Asked] = Field(default_factory=list, description=ASKED)
    select: Selecting | None = None
    train: Training | None = None
    tasks: Tasks = Field(default_factory=list)
    accept: Bounds = Field(default_factory=dict)
    samples: int | None = Field(None, ge=1, le=MOST_SAMPLES)
    sampling: dict[str, dict[str, Any]] = Field(default_factory=dict)
    config: dict[str, dict[str, Any]] = Field(default_factory=dict, description="fields of a family's config that are set")
    use: Use | None = Field(None, description="a registered model that encodes, instead of one that is trained here")

    @model_validator(mode="after")
    def _either(self) -> MemberSpec:
        if self.use is not None and self != MemberSpec.model_construct(use=self.use):
            raise ValueError("a model that is used was described by the recipe that trained it; give nothing besides `use`")
        return self

    def over(self, select: Selecting | None, train: Training | None) -> MemberSpec:
        """The same, where keys that it does not name in `select` and `train` are as they are here."""
        said = {"select": (self.select, select), "train": (self.train, train)}
        merged = {
            key: whole.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
            for key, (own, whole) in said.items()
            if own is not None and whole is not None
        }
        return self.model_copy(update=merged)


class Member(Record):
    """One model of a recipe, with all that bears on it."""

    name: str = Field(description="what it is registered as")
    key: str = Field(description="what the recipe calls it; empty for the only one")
    view: View
    select: Selecting
    train: Training
    tasks: Tasks = Field(default_factory=list, description="what it is measured at; none: with all that it is given")
    accept: Bounds
    samples: int
    sampling: dict[str, dict[str, Any]]
    config: dict[str, dict[str, Any]] = Field(default_factory=dict)
    use: Use | None = None
    needs: list[str] = Field(default_factory=list, description="models over whose versions its columns are made, by key")

    @property
    def told(self) -> str:
        """Fingerprint of what a recipe says of this model, its name aside."""
        return fingerprint(self.model_dump(mode="json", exclude={"name", "key"}))

    @property
    def first(self) -> list[str] | None:
        """What is given in the first task, at which models are compared; None: all."""
        return self.tasks[0].given if self.tasks else None

    @property
    def evaluation(self) -> EvaluationSpec:
        """How it is measured."""
        return EvaluationSpec(tasks=self.tasks, samples=self.samples)


class Declared(Protocol):
    """What a recipe says of its columns and models, and for all models alike."""

    @property
    def name(self) -> str: ...
    @property
    def makes(self) -> str | None: ...
    @property
    def given(self) -> list[Asked] | None: ...
    @property
    def content_name(self) -> str: ...
    @property
    def recorded(self) -> dict[str, Part]: ...
    @property
    def may_lack(self) -> list[str]: ...
    @property
    def derived(self) -> Mapping[str, Derived]: ...
    @property
    def models(self) -> dict[str, MemberSpec]: ...
    @property
    def members(self) -> list[Member]: ...
    @property
    def select(self) -> Selecting: ...
    @property
    def train(self) -> Training: ...
    @property
    def accept(self) -> Bounds: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def samples(self) -> int: ...
    @property
    def sampling(self) -> dict[str, dict[str, Any]]: ...
    @property
    def config(self) -> dict[str, dict[str, Any]]: ...


def members(recipe: Declared) -> list[Member]:
    """The models in the order in which they can be made. Raises RecipeError for a circle, or a column that is not there."""
    specs = recipe.models or {"": MemberSpec(makes=recipe.makes or recipe.content_name, given=_given(recipe))}
    if all(spec.use is not None for spec in specs.values()):
        raise RecipeError("A recipe trains at least one of its models.", got=", ".join(f"{key}: use" for key in specs))
    found = {key: _member(recipe, key, spec) for key, spec in specs.items()}
    try:
        order = list(TopologicalSorter({key: set(member.needs) & set(found) for key, member in found.items()}).static_order())
    except CycleError as error:
        raise RecipeError("Models depend on each other in a circle.", got=" -> ".join(error.args[1])) from error
    # What only judges comes first, so that the last one is one that makes something.
    return [found[key] for key in sorted(order, key=lambda key: found[key].view.makes is not None or bool(found[key].needs))]


def _given(recipe: Declared) -> list[Asked]:
    """What the only model is given where the recipe does not say: every recorded column but the content."""
    if recipe.given is not None:
        return recipe.given
    return [name + "?" * (name in recipe.may_lack) for name in recipe.recorded if name != recipe.content_name]


def _member(recipe: Declared, key: str, spec: MemberSpec) -> Member:
    given = _wanted(spec.given, recipe.may_lack)
    wanted = [*given, *([spec.makes] if spec.makes else [])]
    derived = needed(recipe, wanted)
    by = [model for one in derived.values() if (model := by_of(one)) is not None]
    return Member(
        name=f"{recipe.name}~{key}" if key else recipe.name,
        key=key,
        view=_made_of_all(recipe, View(makes=spec.makes, given=given, derived=derived)),
        select=spec.select or recipe.select,
        train=spec.train or recipe.train,
        tasks=spec.tasks if key else recipe.tasks,
        accept=spec.accept if key else recipe.accept,
        samples=spec.samples or recipe.samples,
        sampling={**recipe.sampling, **spec.sampling},
        config={**recipe.config, **spec.config},
        use=spec.use,
        needs=sorted(set(by)),
    )


def _wanted(given: list[Asked], may_lack: list[str]) -> dict[str, Wanted]:
    """How a model is given each of the columns that a recipe names for it."""
    shares: dict[str, float | None] = {}
    for asked in given:
        shares |= {asked: None} if isinstance(asked, str) else asked
    return {
        name.rstrip("?"): Wanted(optional=name.endswith("?") or name in may_lack, drop=share) for name, share in shares.items()
    }


def _made_of_all(recipe: Declared, view: View) -> View:
    """The view, of which every item has what is made. Raises RecipeError otherwise: there would be nothing to learn from."""
    origins = set() if view.makes is None else view.origins(view.makes)
    if lacking := sorted(origins & set(recipe.may_lack)):
        raise RecipeError(
            f"{view.makes} cannot be made, as items may lack {lacking[0]}.",
            do=f"write {lacking[0]} without `?` where it is declared, so that only items that have it are kept",
        )
    return view


def whole(recipe: Declared) -> Member:
    """What the models of a recipe make together, given whatever those that make something are given of items' columns, of
    what no model makes, and of what a task gives."""
    makes = recipe.makes or recipe.content_name
    makers = [member for member in recipe.members if member.view.makes is not None]
    made = {member.view.makes for member in makers}
    foreign = {name for member in makers for name in member.view.given if name not in made}
    asked = {*recipe.recorded, *foreign, *(name for task in recipe.tasks for name in task.given)}
    wanted = {name: one for member in makers for name, one in member.view.given.items() if name in asked}
    given = {name: one for name, one in sorted(wanted.items()) if name != makes}
    every = needed(recipe, [makes, *(name for one in recipe.members for name in (*one.view.given, one.view.makes or makes))])
    return Member(
        name=recipe.name,
        key="",
        view=View(makes=makes, given=given, derived=every),
        select=recipe.select,
        train=recipe.train,
        tasks=recipe.tasks,
        accept=recipe.accept,
        samples=recipe.samples,
        sampling=recipe.sampling,
    )


def by_of(derived: Derived) -> str | None:
    """The model that a derived column is made by."""
    kind = derivations.get(derived.part.kind)
    return str(derived.part.options["by"]) if kind.needs_model else None


def needed(recipe: Declared, names: list[str]) -> dict[str, Derived]:
    """The derived columns among some columns, and those they are made of."""
    found: dict[str, Derived] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in recipe.recorded or name in found:
            continue
        main = main_of(name, recipe.derived)
        if main is None:
            there = [*recipe.recorded, *recipe.derived]
            raise RecipeError(f"There is no column {name!r}{nearest(name, there)}.", got=name, allowed=", ".join(there))
        found[main] = Derived(part=recipe.derived[main].part, of=recipe.derived[main].of)
        waiting += recipe.derived[main].of
    return dict(sorted(found.items()))


def recipe_of(model: str) -> str:
    """The name of the recipe that a registered model is of."""
    return model.partition("~")[0]
