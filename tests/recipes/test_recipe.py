"""Recipes: strict, overridable, and errors a person can act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from genwright.core.errors import RecipeError
from genwright.recipes.recipe import Recipe, load, parse, schema

RECIPES = Path(__file__).parents[2] / "recipes"
GOOD: dict[str, Any] = {
    "name": "digits",
    "content": {"kind": "image", "size": [8, 8], "channels": 1},
    "condition": "label",
    "sources": [{"kind": "sklearn", "dataset": "digits"}],
}


@pytest.mark.parametrize("file", sorted(RECIPES.glob("*.yaml")), ids=lambda f: f.stem)
def test_the_recipes_that_come_along_are_valid(file: Path) -> None:
    assert load(file).name == file.stem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trian": {}}, ["trian", "did you mean 'train'"]),
        ({"train": {"lerning_rate": 1.0}}, ["train.lerning_rate", "did you mean 'learning_rate'"]),
        ({"content": {"kind": "imagee"}}, ["content", "did you mean 'image'"]),
        ({"content": {"kind": "image", "sise": [8, 8]}}, ["sise", "did you mean 'size'"]),
        ({"sources": []}, ["sources", "at least 1"]),
        ({"sources": [{"kind": "folder"}]}, ["path", "required"]),
        ({"accept": {"recognized": {"at_least": 0.9}}}, ["did you mean 'recognised'"]),
        ({"accept": {"recognised": {"at_leest": 0.9}}}, ["accept.recognised.at_leest", "did you mean 'at_least'"]),
        ({"accept": {"recognised": {}}}, ["at_least"]),
        ({"train": {"budget": {"minutes": 1, "steps": 1}}}, ["either `minutes` or `steps`"]),
        ({"train": {"budget": {"minutes": -1}}}, ["train.budget.minutes", "greater than 0", "-1"]),
        ({"select": {"families": ["gna"]}}, ["did you mean 'gan'"]),
        ({"sampling": {"diffusion": {"stepz": 1}}}, ["stepz"]),
        ({"schedule": {"crom": "0 3 * * 1"}}, ["schedule.crom", "did you mean 'cron'"]),
        ({"canaries": [{"n": 2}, {"promt": "x"}]}, ["canaries.1.promt", "did you mean 'prompt'"]),
        ({"name": "../digits"}, ["name"]),
        ({"cleaning": ["exact_duplicate"]}, ["did you mean 'exact_duplicates'"]),
    ],
)
def test_a_wrong_recipe_says_where_and_what_is_near(change: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(RecipeError) as error:
        parse({**GOOD, **change})
    for words in said:
        assert words in str(error.value)


LARGE = {"kind": "image", "size": [64, 64]}
CODEC = {
    "columns": {"picture": LARGE, "label": "label"},
    "derived": {
        "small": {"kind": "resized", "of": "picture", "size": [8, 8]},
        "latent": {"kind": "encoded", "of": "picture", "by": "codec"},
    },
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"accept": {"bits_per_byte": {"at_most": 2}}}, ["bits_per_byte", "measures sequences", "mmd", "recognised"]),
        ({"accept": {"kid": {"at_most": 9}}}, ["kid", "12 pixels a side", "measures that suit", "mmd"]),
        (
            {"content": "text", "condition": None, "accept": {"chrf": {"at_least": 9}}},
            ["bits_per_byte, copied_passage"],
        ),
    ],
)
def test_a_bound_that_no_model_could_meet_is_refused(change: dict[str, Any], said: list[str]) -> None:
    """Hours before the measure would find out."""
    with pytest.raises(RecipeError) as error:
        parse({**GOOD, **change})
    for words in said:
        assert words in str(error.value)


def test_bounds_of_each_model_are_held_against_what_it_makes() -> None:
    """What a model encodes has a shape that only that model knows, so nothing is refused there."""
    short = {name: GOOD[name] for name in ("name", "sources")}

    def models(makes: str, **bounds: float) -> dict[str, Any]:
        accept = {name: {"at_least": bound} for name, bound in bounds.items()}
        codec, other = {"makes": "picture"}, {"makes": makes, "given": ["label"], "accept": accept}
        return {**short, **CODEC, "models": {"codec": codec, "other": other}, "makes": "picture"}

    parse(models("picture", kid=0.5))
    parse(models("latent", kid=0.5))
    for makes, measure in (("small", "kid"), ("small", "variety")):
        with pytest.raises(RecipeError, match=f"{measure} can never be taken of digits~other"):
            parse(models(makes, **{measure: 0.5}))


MASKED = {
    "columns": {"content": GOOD["content"], "condition": "label"},
    "derived": {"known": {"kind": "masked", "of": "content"}},
    "given": ["condition", "known", "known_mask"],
    "tasks": {"draw": ["condition"], "complete": ["condition", "known", "known_mask"]},
    **{name: GOOD[name] for name in ("name", "sources")},
}


def test_tasks_are_asked_in_the_order_of_the_recipe() -> None:
    recipe = parse({**MASKED, "accept": {"mmd": {"at_most": 9}, "psnr@complete": {"at_least": 20}}})
    assert [task.name for task in recipe.evaluation.tasks] == ["draw", "complete"]
    assert recipe.members[0].first == ["condition"]  # models are compared at drawing
    assert parse(recipe.model_dump(mode="json", exclude={"content", "condition"})) == recipe
    other = parse({**MASKED, "tasks": dict(reversed(MASKED["tasks"].items()))})  # its plain measures say something else
    assert other.identity != recipe.model_copy(update={"accept": {}}).identity


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tasks": {"draw": ["condition"], "complete": ["knwon"]}}, ["complete", "did you mean 'known'"]),
        ({"accept": {"psnr@complet": {"at_least": 20}}}, ["did you mean 'complete'"]),
        ({"accept": {"mmd@draw": {"at_most": 9}}}, ["first task", "say mmd"]),
        ({"accept": {"chrf@complete": {"at_least": 9}}}, ["chrf@complete can never be taken", "psnr"]),
        ({"accept": {"pnsr@complete": {"at_least": 9}}}, ["did you mean 'psnr'"]),
    ],
)
def test_a_wrong_task_is_refused(change: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(RecipeError) as error:
        parse({**MASKED, **change})
    for words in said:
        assert words in str(error.value)


def test_several_models_together_are_given_the_derived_columns_that_a_task_gives() -> None:
    short = {name: MASKED[name] for name in ("name", "sources", "columns", "derived")}
    member = {"makes": "content", "given": ["condition", "known?", "known_mask?"]}
    whole = parse({**short, "models": {"base": member}, "tasks": MASKED["tasks"]}).whole
    assert whole is not None
    assert list(whole.view.given) == ["condition", "known", "known_mask"]


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(RecipeError) as error:
        parse({**GOOD, "trian": {}, "samples": 0})
    assert "trian" in str(error.value)
    assert "samples" in str(error.value)


def write(folder: Path, given: dict[str, Any]) -> Path:
    path = folder / "digits.yaml"
    path.write_text(yaml.safe_dump(given))
    return path


def test_overrides_reach_into_mappings_and_lists(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    recipe = load(path, ["train.budget.steps=7", "content.size=[16, 16]", "sources.0.dataset=digits", "condition=null"])
    assert recipe.train.budget.steps == 7
    assert recipe.recorded["content"].options["size"] == [16, 16]
    assert recipe.condition is None


@pytest.mark.parametrize(
    "override", ["train", "=3", "name.x=3", "sources.x=3", "sources.9.dataset=digits", "samples=[unclosed"]
)
def test_a_wrong_override_is_an_error_not_a_crash(tmp_path: Path, override: str) -> None:
    with pytest.raises(RecipeError):
        load(write(tmp_path, GOOD), [override])


def test_a_missing_recipe_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(RecipeError, match="did you mean 'digits'"):
        load(tmp_path / "digts.yaml")


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", "just text", "\x00", "", "!!python/object/apply:os.getcwd []"])
def test_what_is_no_recipe_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError):
        load(path)


PICTURE = {"kind": "image", "size": [8, 8], "channels": 1}
COLUMNS: dict[str, Any] = {
    "name": "captioned",
    "columns": {"picture": PICTURE, "caption?": "text", "kind": "label"},
    "sources": [{"kind": "folder", "path": "files", "labels": "parent", "captions": ".txt"}],
}


def test_content_and_condition_are_short_for_two_columns() -> None:
    short = parse({**COLUMNS, "columns": {}, "content": PICTURE, "condition": "label"})
    long = parse({**COLUMNS, "columns": {"content": PICTURE, "condition": "label"}})
    assert short.recorded == long.recorded
    assert [member.view for member in short.members] == [member.view for member in long.members]


def test_the_first_column_is_made_and_the_others_are_given() -> None:
    """Whatever they are called; an item may lack what is marked, and a label."""
    recipe = parse(COLUMNS)
    assert list(recipe.recorded) == ["picture", "caption", "kind"]
    assert recipe.content_name == "picture"
    (member,) = recipe.members
    assert member.name == "captioned"
    assert member.view.makes == "picture"
    assert {name: wanted.optional for name, wanted in member.view.given.items()} == {"caption": True, "kind": True}
    assert parse({**COLUMNS, "given": ["caption"]}).members[0].view.given.keys() == {"caption"}
    required = parse({**COLUMNS, "columns": {"picture": PICTURE, "caption": "text"}}).members[0]
    assert not required.view.given["caption"].optional
    other = parse({**COLUMNS, "columns": {"caption": "text", "picture": PICTURE}, "given": []})
    assert other.content_name == "caption"
    assert other.identity != parse({**COLUMNS, "columns": {"picture": PICTURE, "caption": "text"}, "given": []}).identity


def test_what_a_recipe_is_called_bears_on_no_model_and_what_it_gives_does() -> None:
    one, named, given = parse(COLUMNS), parse({**COLUMNS, "name": "other"}), parse({**COLUMNS, "given": ["kind"]})
    assert one.members[0].told == named.members[0].told != given.members[0].told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"content": PICTURE}, ["either `content`", "`columns`"]),
        ({"condition": "label"}, ["either `content`", "`columns`"]),
        ({"columns": {}}, ["either `content`", "`columns`"]),
        ({"columns": {"Picture": PICTURE}}, ["small letters", "'Picture'"]),
        ({"columns": {"picture": PICTURE, "caption": "txt"}}, ["columns.caption", "did you mean 'text'"]),
        ({"columns": {"picture": {**PICTURE, "sise": 3}}}, ["columns.picture", "did you mean 'size'"]),
        ({"given": ["captoin"]}, ["no column 'captoin'", "did you mean 'caption'"]),
        ({"makes": "picure"}, ["no column 'picure'", "did you mean 'picture'"]),
        ({"makes": "caption"}, ["caption", "items may lack", "without `?`"]),
        ({"columns": {"picture?": PICTURE}}, ["picture", "items may lack", "without `?`"]),
        ({"derived": {"small": {"of": "picture"}}}, ["derived.small"]),
        ({"derived": {"small": {"kind": "resizd", "of": "picture"}}}, ["derived.small", "did you mean 'resized'"]),
        ({"derived": {"small": "resized"}}, ["derived.small", "`of`"]),
        (
            {"derived": {"small": {"kind": "resized", "of": "picture", "sise": [4, 4]}}},
            ["derived.small", "did you mean 'size'"],
        ),
        ({"derived": {"kind": {"kind": "resized", "of": "picture", "size": [4, 4]}}}, ["'kind'", "derived as well"]),
        ({"models": {"one": {"makes": "picture"}}, "given": ["kind"]}, ["`given`", "`models`"]),
        ({"models": {"one": {"maks": "picture"}}}, ["models.one.maks", "did you mean 'makes'"]),
        ({"models": {"one": {"makes": "picture", "given": ["kin"]}}}, ["no column 'kin'", "did you mean 'kind'"]),
    ],
)
def test_a_wrong_column_says_which_and_what_is_near(change: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(RecipeError) as error:
        parse({**COLUMNS, **change})
    for words in said:
        assert words in str(error.value)


CHAIN: dict[str, Any] = {
    **COLUMNS,
    "derived": {"code": {"kind": "encoded", "of": "picture", "by": "codec"}},
    "models": {
        "prior": {"makes": "code", "given": ["caption?"], "samples": 40},
        "codec": {"makes": "picture", "accept": {"mmd": {"at_most": 5}}},
    },
    "samples": 20,
    "accept": {"coverage": {"at_least": 0.5}},
}


def test_models_come_in_the_order_in_which_they_can_be_made() -> None:
    """Each is registered by a name of its own, and what it does not say the recipe says, its bounds aside."""
    codec, prior = parse(CHAIN).members
    assert [codec.name, prior.name] == ["captioned~codec", "captioned~prior"]
    assert (codec.needs, prior.needs) == ([], ["codec"])
    assert (codec.view.derived, list(prior.view.derived)) == ({}, ["code"])
    assert (codec.samples, prior.samples) == (20, 40)
    assert (list(codec.accept), list(prior.accept)) == (["mmd"], [])


def test_a_model_says_only_what_it_has_otherwise() -> None:
    general = {"select": {"dials": [0.5]}, "train": {"budget": {"steps": 8}, "rounds": 1}}
    own = {"select": {"families": ["vae"]}, "train": {"seed": 1}}
    found = parse({**GOOD, **general, "models": {"only": {"makes": "content", **own}}})
    member = found.members[0]
    assert (member.select.families, member.select.dials) == (["vae"], [0.5])
    assert (member.train.seed, member.train.budget.steps, member.train.rounds) == (1, 8, 1)
    # A recipe that was written down whole, as records are, means the same.
    assert parse(found.model_dump(mode="json")).members == found.members


def test_the_whole_of_several_models_is_asked_for_what_items_bring() -> None:
    whole = parse(CHAIN).whole
    assert whole is not None
    assert (whole.name, whole.view.makes) == ("captioned", "picture")
    assert list(whole.view.given) == ["caption"]
    assert list(whole.view.derived) == ["code"]
    assert list(whole.accept) == ["coverage"]
    assert parse(COLUMNS).whole is None


def test_models_in_a_circle_are_refused() -> None:
    derived = {**CHAIN["derived"], "other": {"kind": "encoded", "of": "picture", "by": "prior"}}
    models = {**CHAIN["models"], "codec": {"makes": "picture", "given": ["other"]}}
    with pytest.raises(RecipeError, match="in a circle"):
        parse({**CHAIN, "derived": derived, "models": models})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(key=st.sampled_from(sorted(Recipe.model_fields)), value=VALUES)
def test_any_value_anywhere_is_taken_or_refused(key: str, value: Any) -> None:
    try:
        recipe = parse({**GOOD, key: value})
    except RecipeError as error:
        assert str(error)
    else:
        assert parse(recipe.model_dump(mode="json")) == recipe


def test_a_given_is_hidden_from_the_share_of_rows_that_is_said() -> None:
    hidden = {"derived": {"known": {"kind": "masked", "of": "content"}}}
    asked = ["condition", {"known": 0.5, "known_mask?": 0.25}]
    recipe = parse({**GOOD, **hidden, "given": asked})
    given = recipe.members[0].view.given
    assert {name: (one.optional, one.drop) for name, one in given.items()} == {
        "condition": (True, None),  # a label may be lacking
        "known": (False, 0.5),
        "known_mask": (True, 0.25),
    }
    assert parse(recipe.model_dump(mode="json")) == recipe
    with pytest.raises(RecipeError, match="less than 1"):
        parse({**GOOD, **hidden, "given": [{"known": 1.0}]})
    with pytest.raises(RecipeError, match=r"There is no column 'knwon' \(did you mean 'known'"):
        parse({**GOOD, **hidden, "given": [{"knwon": 0.5}]})


def test_the_schema_names_every_part() -> None:
    text = str(schema())
    for word in ("sklearn", "near_duplicates", "image", "recognised", "channels"):
        assert word in text


@pytest.mark.parametrize(
    "given",
    [
        *(yaml.safe_load(file.read_text()) for file in sorted(RECIPES.glob("*.yaml"))),
        COLUMNS,
        CHAIN,
        {**GOOD, "watch": {"triggers": ["age", {"kind": "drift", "least": 0.2}]}},
    ],
    ids=lambda given: given["name"],
)
def test_an_editor_finds_no_fault_in_what_is_right(given: dict[str, Any]) -> None:
    assert parse(given)
    assert not list(Draft202012Validator(schema()).iter_errors(given))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": {"picture": {"kind": "image", "sise": [8, 8]}}},
        {"derived": {"small": {"of": "picture"}}},
        {"cleaning": ["exact_duplicate"]},
        {"watch": {"triggers": [{"kind": "drift", "leest": 1}]}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_editor_finds_what_is_wrong_in_a_part(change: dict[str, Any]) -> None:
    assert list(Draft202012Validator(schema()).iter_errors({**COLUMNS, **change}))
