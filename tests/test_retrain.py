"""Going on from a champion's weights, or beginning afresh: a fair trial, and the same bits after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from genwright.core.errors import ModelError, TrainingError
from genwright.core.record import Part
from genwright.core.workspace import Settings, Workspace
from genwright.data.dataset import Dataset
from genwright.data.records import DatasetVersion
from genwright.lifecycle.run import Base, Run
from genwright.models import bundle
from genwright.models.records import ModelVersion, Plan
from genwright.models.reencode import as_read_by, incomparable
from genwright.recipes.recipe import Recipe, parse
from genwright.recipes.upkeep import Canary
from genwright.reports.comparison import Compared, ask, write
from genwright.training.fit import Fit
from genwright.training.race import Race
from tests import made

RECIPE = {
    "name": "digits",
    "content": {"kind": "image", "size": [8, 8], "channels": 1},
    "condition": "label",
    "sources": [{"kind": "sklearn", "dataset": "digits"}],
    "select": {"families": ["gan", "vae", "diffusion"], "dials": [0.125], "budget": {"steps": 12}},
    "train": {"batch_size": 16},
    "samples": 32,
}


def recipe() -> Recipe:
    return parse(RECIPE)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    """Data and a well trained model of it."""
    root = tmp_path_factory.mktemp("champion")
    data = made.pictures(root / "data")
    fit = Fit(data, made.plan(data, "vae", steps=200), root / "fit", Settings(workspace=root, threads=1, device="cpu"))
    for _ in fit:
        pass
    return data, root / "fit" / "bundle"


def going_on(data: Dataset, base: Path, **fields: object) -> Plan:
    plan = made.plan(data, "vae", **fields)  # type: ignore[arg-type]
    start = bundle.verify(base)[bundle.WEIGHTS]
    return plan.model_copy(update={"candidate": plan.candidate.model_copy(update={"start": start})})


def test_training_begins_with_the_champions_weights(champion: tuple[Dataset, Path], tmp_path: Path, settings: Settings) -> None:
    data, base = champion
    plans = {"on": going_on(data, base), "afresh": made.plan(data, "vae")}
    first = {}
    for name, plan in plans.items():
        fit = Fit(data, plan, tmp_path / name, settings, base=base)
        first[name] = next(iter(fit)).losses["model"]
    assert first["on"] < first["afresh"]


def test_going_on_stopped_anywhere_ends_with_the_same_bits(
    champion: tuple[Dataset, Path], tmp_path: Path, settings: Settings
) -> None:
    data, base = champion
    plan = going_on(data, base)
    whole = Fit(data, plan, tmp_path / "whole", settings, base=base)
    list(whole)
    for stop in (1, 5, 9):
        parts = Fit(data, plan, tmp_path / "parts", settings, base=base)
        steps = iter(parts)
        for point in steps:
            if point.step == stop:
                steps.close()  # type: ignore[attr-defined]
                break
    again = Fit(data, plan, tmp_path / "parts", settings, base=base)
    list(again)
    assert again.result.weights == whole.result.weights


def test_weights_that_are_not_the_chosen_ones_are_refused(
    champion: tuple[Dataset, Path], tmp_path: Path, settings: Settings
) -> None:
    data, base = champion
    plan = going_on(data, base)
    wrong = plan.model_copy(update={"candidate": plan.candidate.model_copy(update={"start": "0" * 64})})
    with pytest.raises(ModelError, match="not those that were chosen"):
        list(Fit(data, wrong, tmp_path / "wrong", settings, base=base))
    with pytest.raises(TrainingError, match="not there"):
        list(Fit(data, plan, tmp_path / "gone", settings))


def test_both_race_at_equal_budget_and_the_table_says_which_won(
    champion: tuple[Dataset, Path], tmp_path: Path, settings: Settings
) -> None:
    data, base = champion
    race = Race(data, recipe().members[0], tmp_path, settings, base)
    heats = list(race)
    table = race.result.table
    assert [entry.family for entry in table] == ["vae", "vae"]
    assert {entry.goes_on for entry in table} == {True, False}
    assert {entry.verdict for entry in table} == {"won", "lost"}
    first = [heat.point.step for heat in heats if heat.heat == 1]
    assert sorted(first) == sorted([*range(1, 7), *range(1, 7)])
    assert race.result.winner.start in (None, bundle.verify(base)[bundle.WEIGHTS])
    assert race.result.winner.title in race.result.why


def test_the_champion_to_go_on_from_is_part_of_the_identity(champion: tuple[Dataset, Path], tmp_path: Path) -> None:
    data, base = champion
    version = DatasetVersion(recipe="digits", digest="d", path=str(data.folder), contents=data.contents)
    settings = Settings(workspace=tmp_path)

    def identity(weights: str | None) -> str:
        held = None
        if weights is not None:
            held = Base(ModelVersion(name="digits", version=1, weights=weights, data="d", recipe="r", run="x"), base)
        return Run(recipe(), recipe().members[0], version, Workspace(tmp_path), settings, held).identity

    assert len({identity(None), identity("a"), identity("b")}) == 3


def test_a_model_that_cannot_take_the_data_says_why(champion: tuple[Dataset, Path], tmp_path: Path) -> None:
    data, base = champion
    assert incomparable(base, data) is None
    image = Part(kind="image", options={"size": [6, 6], "channels": 1})
    assert "size" in str(incomparable(base, made.dataset(tmp_path / "small", image, condition=Part(kind="label"))))
    more = Dataset(data.folder)
    column = data.contents.columns["condition"]
    column = column.model_copy(update={"labels": [*(column.labels or []), "zinnober"]})
    more.contents = data.contents.model_copy(update={"columns": {**data.contents.columns, "condition": column}})
    assert "zinnober" in str(incomparable(base, more))
    assert as_read_by(base, data, tmp_path / "copy").folder == data.folder


def test_two_versions_stand_side_by_side_on_one_page(champion: tuple[Dataset, Path], tmp_path: Path) -> None:
    data, base = champion
    fit = Fit(data, made.plan(data, "vae", steps=4), tmp_path / "fit", Settings(workspace=tmp_path, threads=1, device="cpu"))
    list(fit)
    folders = (base, tmp_path / "fit" / "bundle")
    recipes = [{"samples": 32, "select": {"dials": [1.0]}}, {"samples": 64, "select": {"dials": [1.0]}}]
    sides = [
        Compared(
            version=ModelVersion(name="<b>digits", version=n, weights=f"w{n}", data=f"d{n}", recipe="r", run="x"),
            aliases=["champion"] if n == 2 else [],
            tags={"test.mmd": f"{n}.5", "genwright.gate": "passed"},
            recipe=recipes[n - 1],
            contents=data.contents.model_copy(update={"collected": n}),
            folder=folders[n - 1],
            uses={},
        )
        for n in (1, 2)
    ]
    canaries = [Canary(n=3, seed=1), Canary(n=1, label="no such label")]
    page = write(tmp_path / "page.html", (sides[0], sides[1]), canaries, data, "cpu").read_text()
    assert page.count("data:image/png;base64,") == 6
    assert page.count("The model knows no such label.") == 2
    assert "<b>digits" not in page  # markup in a name is inert
    for said in ("samples", "32", "64", "1.5", "2.5", "collected", "champion"):
        assert said in page
    assert "select.dials" not in page  # what is equal is left out
    same = ask(((base, {}), (base, {})), [Canary(n=2)], data, "cpu")[0]
    assert same.answers[0] == same.answers[1]
    assert torch.get_num_threads() == 1
