"""The race: who may run, who wins, and that it goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genwright.core.errors import GenwrightError
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.models import cost
from genwright.recipes.members import Member
from genwright.recipes.recipe import parse
from genwright.training.race import GIB, Race
from tests import made


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return made.pictures(tmp_path / "data")


def member(**select: Any) -> Member:
    recipe = parse(
        {
            "name": "digits",
            "content": {"kind": "image", "size": [8, 8], "channels": 1},
            "condition": "label",
            "sources": [{"kind": "sklearn", "dataset": "digits"}],
            "select": {"dials": [0.125], "budget": {"steps": 8}, **select},
            "train": {"batch_size": 16},
            "samples": 32,
        }
    )
    return recipe.members[0]


def test_all_that_accept_the_shape_race_and_one_wins(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    race = Race(data, member(), tmp_path / "race", settings)
    heats = list(race)
    table = {row.family: row for row in race.result.table}
    assert {name for name, row in table.items() if row.verdict != "rejected"} == {"gan", "vae", "diffusion"}
    assert "gpt" in table
    assert table["gpt"].verdict == "rejected"
    assert [row.verdict for row in race.result.table].count("won") == 1
    winner = race.result.table[0]
    rivals = [row for row in race.result.table[1:] if len(row.scores) == len(winner.scores)]
    assert all(winner.scores[-1] <= rival.scores[-1] for rival in rivals)
    assert max(h.heat for h in heats) == 2
    assert all(row.cost is not None and row.cost.parameters > 0 for row in table.values() if row.verdict != "rejected")


def test_a_stopped_race_goes_on_and_ends_the_same(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    whole = Race(data, member(), tmp_path / "whole", settings)
    steps = len(list(whole))
    first = iter(Race(data, member(), tmp_path / "stopped", settings))
    for _ in range(7):
        next(first)
    first.close()  # type: ignore[attr-defined]
    second = Race(data, member(), tmp_path / "stopped", settings)
    assert len(list(second)) == steps - 7
    assert [(r.family, r.scores) for r in second.result.table] == [(r.family, r.scores) for r in whole.result.table]


def test_what_does_not_fit_is_rejected_with_the_figures(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    need = made.plan(data, "diffusion")
    price = cost.estimate("diffusion", need.candidate.config, data.signature, 16)
    race = Race(data, member(memory_gib=0.9 * price.memory_bytes / GIB), tmp_path / "race", settings)
    list(race)
    rejected = {row.family: row.reason for row in race.result.table if row.verdict == "rejected"}
    assert "GiB of memory" in rejected["diffusion"]
    with pytest.raises(GenwrightError, match="No family of models can take this data"):
        list(Race(data, member(memory_gib=1e-6), tmp_path / "none", settings))


def test_a_budget_in_minutes_gives_equal_time(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    race = Race(data, member(budget={"minutes": 0.05}, heats=1), tmp_path / "race", settings)
    list(race)
    seconds = [row.steps[-1] * (row.seconds_per_step or 0) for row in race.result.table if row.steps]
    assert all(0.5 < s < 1.1 for s in seconds)


def test_a_single_candidate_needs_no_race(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    race = Race(data, member(families=["vae"]), tmp_path / "race", settings)
    assert list(race) == []
    assert race.result.winner.family == "vae"
    assert "no race" in race.result.why
