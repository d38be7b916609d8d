"""When to retrain, as a recipe says it, and how that is changed without touching the rest of the file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from genwright.adapters.prefect.manifest import prefect_yaml
from genwright.core.errors import RecipeError
from genwright.core.span import span
from genwright.recipes.edit import put
from genwright.recipes.recipe import load, parse
from genwright.recipes.upkeep import Schedule

ROOT = Path(__file__).parents[1]
RECIPE = """\
# Birds.
name: birds   # also the model
content: image
sources:
  - {kind: folder, path: inbox}   # all of them

# The end.
"""


@pytest.mark.parametrize(
    ("text", "length"),
    [("45s", timedelta(seconds=45)), ("1.5h", timedelta(minutes=90)), ("7d", timedelta(days=7)), ("2 w", timedelta(days=14))],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert span(text) == length


@given(st.text(max_size=6))
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    try:
        assert span(text) > timedelta(0)
    except ValueError as error:
        assert "e.g." in str(error) or "finite" in str(error)
    except OverflowError:
        assert text.strip()[:-1].strip().isdigit()


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({}, "either `cron` or `every`"),
        ({"cron": "0 3 * * 1", "every": "6h"}, "either `cron` or `every`"),
        ({"cron": "0 25 * * 1"}, "five fields"),
        ({"cron": "weekly"}, "five fields"),
        ({"cron": "0 3 * * 1", "timezone": "Europe/Atlantis"}, "no such time zone"),
        ({"every": "often"}, "a number and a unit"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_in_words(schedule: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Schedule.model_validate(schedule)


def test_slots_keep_their_local_hour_when_clocks_change() -> None:
    weekly = Schedule(cron="0 3 * * *", timezone="Europe/Madrid")
    before = weekly.next_after(datetime(2026, 10, 24, 0, 0, tzinfo=UTC))  # the night of the 25th clocks go back
    after = weekly.next_after(datetime(2026, 10, 25, 12, 0, tzinfo=UTC))
    assert before is not None
    assert after is not None
    assert [moment.astimezone(UTC).hour for moment in (before, after)] == [1, 2]


def test_one_key_changes_and_the_rest_stays_as_a_person_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "birds.yaml"
    path.write_text(RECIPE)
    put(path, "schedule", {"cron": "0 3 * * 1", "timezone": "UTC"})
    assert path.read_text().startswith(RECIPE)
    assert load(path).schedule == Schedule(cron="0 3 * * 1")
    put(path, "schedule", {"every": "6h"})
    assert path.read_text().count("schedule") == 1
    assert load(path).schedule == Schedule(every="6h")
    put(path, "schedule", None)
    assert load(path).schedule is None
    assert path.read_text().rstrip() == RECIPE.rstrip()


def test_a_key_over_several_lines_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "birds.yaml"
    path.write_text("schedule:\n  every: 6h\n  paused: true\n" + RECIPE)
    put(path, "schedule", {"every": "1d"})
    assert path.read_text() == "schedule: {every: 1d}\n" + RECIPE


def test_a_change_that_makes_no_sense_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "birds.yaml"
    path.write_text(RECIPE)
    with pytest.raises(RecipeError, match="five fields"):
        put(path, "schedule", {"cron": "tomorrow"})
    assert path.read_text() == RECIPE


def test_what_says_when_to_retrain_is_no_part_of_the_identity(tmp_path: Path) -> None:
    path = tmp_path / "birds.yaml"
    path.write_text(RECIPE)
    before = load(path).identity
    put(path, "schedule", {"every": "6h"})
    put(path, "promotion", {"policy": "manual"})
    put(path, "limits", {"minutes_per_week": 60})
    assert load(path).identity == before
    put(path, "samples", 100)
    assert load(path).identity != before


def test_prefect_yaml_follows_the_recipes() -> None:
    recipes = [load(path) for path in sorted((ROOT / "recipes").glob("*.yaml"))]
    written = (ROOT / "prefect.yaml").read_text()
    assert written == prefect_yaml(recipes), "write it again: genwright schedules --prefect-yaml"


def test_the_worker_here_serves_what_prefect_yaml_tells_others() -> None:
    from prefect.flows import load_flow_from_entrypoint

    from genwright.flows.deploy import deployments

    given = load(ROOT / "recipes" / "digits.yaml").model_dump()
    schedule = {"cron": "0 3 * * 1", "timezone": "Europe/Madrid", "paused": True}
    recipe = parse({**given, "schedule": schedule, "watch": {"every": "2h", "triggers": ["drift"]}})
    written = yaml.safe_load(prefect_yaml([recipe]))["deployments"]
    served = deployments(recipe)
    assert [f"{d.flow_name}/{d.name}" for d in served] == ["retrain/digits", "watch/digits"]
    for there, here in zip(written, served, strict=True):
        assert there["entrypoint"] == here.entrypoint
        assert load_flow_from_entrypoint(here.entrypoint).name == here.flow_name
        assert (there["parameters"], there["tags"]) == (here.parameters, here.tags)
        assert there["concurrency_limit"] == {"limit": here.concurrency_limit, "collision_strategy": "CANCEL_NEW"}
        assert here.concurrency_options is not None
        assert here.concurrency_options.collision_strategy == "CANCEL_NEW"
        assert [t["expect"] for t in there.get("triggers", [])] == [sorted(t.expect) for t in here.triggers]  # type: ignore[union-attr]
    weekly, often = (d.schedules[0] for d in served if d.schedules)
    assert (weekly.schedule.cron, weekly.schedule.timezone, weekly.active) == ("0 3 * * 1", "Europe/Madrid", False)  # type: ignore[union-attr]
    assert (often.schedule.interval, often.active) == (timedelta(hours=2), True)  # type: ignore[union-attr]
