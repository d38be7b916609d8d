"""The race: who may run, who wins, and that it goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor

from genwright.core.batch import Batch
from genwright.core.errors import GenwrightError
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.models import cost
from genwright.models.architectures.base import architectures
from genwright.models.architectures.vae import Vae
from genwright.recipes.members import Budget, Member
from genwright.recipes.recipe import parse
from genwright.training import pace
from genwright.training.fit import Fit
from genwright.training.pace import Pace
from genwright.training.plan import first_plan
from genwright.training.race import GIB, Race, place, tidy
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
            "select": {"families": ["gan", "vae", "diffusion"], "dials": [0.125], "budget": {"steps": 8}, **select},
            "train": {"batch_size": 16},
            "samples": 32,
        }
    )
    return recipe.members[0]


def training(given: Member, **budget: float) -> Member:
    """The recipe with another budget of its rounds."""
    return given.model_copy(update={"train": given.train.model_copy(update={"budget": Budget.model_validate(budget)})})


def test_all_that_accept_the_shape_race_and_one_wins(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    race = Race(data, member(families=None), tmp_path / "race", settings)
    heats = list(race)
    table = {row.family: row for row in race.result.table}
    accepting = {name for name, family in architectures.all().items() if family.accepts(data.signature) is None}
    assert {"gan", "dcgan", "resgan", "vae", "diffusion", "dit"} <= accepting
    assert {name for name, row in table.items() if row.verdict != "rejected"} == accepting
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


def test_who_may_race_does_not_depend_on_what_else_is_running(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that is in use now is no reason to reject; memory that the machine does not have is."""
    full = psutil.virtual_memory()._replace(available=1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: full)
    race = Race(data, member(), tmp_path / "race", settings)
    list(race)
    assert race.result.winner
    monkeypatch.setattr(psutil, "virtual_memory", lambda: full._replace(total=1 << 20))
    with pytest.raises(GenwrightError, match="of memory"):
        list(Race(data, member(), tmp_path / "small", settings))


def test_what_memory_does_not_do_for_is_rejected_and_the_rest_race(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Estimates may be wrong; a trial is not."""
    honest = Vae.loss

    def loss(self: Vae, batch: Batch, player: str) -> Tensor:
        if batch.made.device.type != "meta":
            raise torch.OutOfMemoryError("no memory left")
        return honest(self, batch, player)

    monkeypatch.setattr(Vae, "loss", loss)
    race = Race(data, member(), tmp_path / "race", settings)
    list(race)
    table = {row.family: row for row in race.result.table}
    assert table["vae"].verdict == "rejected"
    assert "memory ran out" in table["vae"].reason
    assert race.result.winner.family in ("gan", "diffusion")


def test_a_budget_in_minutes_gives_equal_time_with_the_measures(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    race = Race(data, member(budget={"minutes": 0.1}, heats=1), tmp_path / "race", settings)
    list(race)
    paces = json.loads((tmp_path / "race" / "paces.json").read_text())["known"]
    raced = [row for row in race.result.table if row.steps]
    assert len(raced) == 3
    for row in raced:
        taken = paces[f"{row.family} x0.125"]
        assert taken["measure"] > 0
        assert row.seconds_per_step is not None
        assert row.steps[-1] * taken["step"] + taken["measure"] == pytest.approx(2.0, abs=taken["step"] + 1e-6)


def test_times_that_differ_are_taken_again_and_said(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a loaded moment measured is not what a racer is judged by."""
    fit = Fit(data, made.plan(data, "vae"), tmp_path / "vae", settings)
    seconds = iter((15.0, 4.5, 4.6))
    monkeypatch.setattr(pace, "take", lambda *_, **__: Pace(step=next(seconds)))
    paces, notes = pace.survey({"vae x1": fit}, tmp_path / "paces.json", 1.0, measure=True)
    assert paces["vae x1"].step == 4.5
    assert "15 s and 4.5 s; timed once more: 4.6 s" in notes[0]
    again, silent = pace.survey({"vae x1": fit}, tmp_path / "paces.json", 1.0, measure=False)
    assert (again, silent) == (paces, [])


def test_a_winner_that_was_timed_wrongly_is_timed_again_before_its_steps_are_fixed(
    data: Dataset, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = training(member(families=["vae", "gan"]), minutes=1)
    honest = pace.survey

    def wrong(*given: Any, **named: Any) -> tuple[dict[str, Pace], list[str]]:
        paces, notes = honest(*given, **named)
        return {name: p.model_copy(update={"step": p.step / 100}) for name, p in paces.items()}, notes

    monkeypatch.setattr(pace, "survey", wrong)
    race = Race(data, wanted, tmp_path / "race", settings)
    list(race)
    assert any("timed once more" in note for note in race.notes)
    plan = first_plan(wanted, race.result, data, settings)
    won = race.result.table[0]
    assert won.seconds_per_step is not None
    assert plan.steps * won.seconds_per_step <= 60
    assert won.seconds_per_step > race.result.table[1].seconds_per_step * 3  # type: ignore[operator]


def test_the_first_round_goes_on_from_the_winner(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    wanted = training(member(), steps=20)
    race = Race(data, wanted, tmp_path / "race", settings)
    list(race)
    tidy(tmp_path / "race", race.result.winner)
    plan = first_plan(wanted, race.result, data, settings)
    assert (plan.begins, plan.steps) == (8, 20)
    origin = place(tmp_path / "race", race.result.winner)
    assert [p for p in (tmp_path / "race").iterdir() if p.is_dir()] == [origin]
    fit = Fit(data, plan, tmp_path / "round-1", settings, data="d", origin=origin)
    assert len(list(fit)) == 12
    assert [p.step for p in fit.result.curve] == list(range(1, 21))
    assert fit.result.curve[7].score == race.result.table[0].scores[-1]


@pytest.mark.parametrize(("steps", "begins"), [(16, 8), (10, 0), (4, 0)])
def test_a_round_that_is_hardly_longer_than_the_race_begins_anew(
    steps: int, begins: int, data: Dataset, tmp_path: Path, settings: Settings
) -> None:
    """Its rate would have fallen before the race's end."""
    wanted = training(member(families=["vae", "gan"]), steps=steps)
    race = Race(data, wanted, tmp_path / "race", settings)
    list(race)
    plan = first_plan(wanted, race.result, data, settings)
    assert plan.begins == begins
    assert plan.steps - plan.decay * plan.steps >= begins


def test_what_a_measure_costs_is_counted_where_budgets_are_steps(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    """So that two machines, or a busy and a quiet one, measure as often; diffusion draws its samples in many steps."""
    prices = {}
    for family in ("diffusion", "vae"):
        found = []
        for folder in ("a", "b"):
            race = Race(data, training(member(families=[family]), steps=20), tmp_path / f"{family}-{folder}", settings)
            list(race)
            found.append(race.result.table[0].measure_price)
        assert found[0] == found[1]
        prices[family] = found[0]
    assert prices["diffusion"] > prices["vae"] > 0


def test_how_long_a_race_in_steps_will_take_is_known_before(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    race = Race(data, member(), tmp_path / "race", settings)
    minutes = race.minutes()
    assert not list((tmp_path / "race").glob("*/checkpoints"))
    assert 5 < minutes < 6  # the round is given five
    longer = member(budget={"steps": 80})
    assert Race(data, longer, tmp_path / "race", settings).minutes() > minutes


def test_a_single_candidate_needs_no_race(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    race = Race(data, member(families=["vae"]), tmp_path / "race", settings)
    assert list(race) == []
    assert race.result.winner.family == "vae"
    assert "no race" in race.result.why
