"""The recipes for pictures that come along, as they stand but for their data and sizes: small pictures, few steps. Each is run,
what it trained is registered, and its champion is directed in every way that its header names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image, ImageFilter, ImageOps

from genwright.adapters.mlflow.versions import Versions
from genwright.core.workspace import Workspace
from genwright.data.modalities.base import modalities
from tests.workspaces import BUDGETS, PICTURES, fill, write

pytestmark = [pytest.mark.long(minutes=4), pytest.mark.timeout(900), pytest.mark.usefixtures("team_server")]
ROOT = Path(__file__).parents[1]
SIDES = {64: 16, 32: 8, 28: 16, 24: 16, 16: 8}  # pixels
KINDS = {"text": {"vocab": 300, "length": 16}, "withheld": {"share": 0.7}, "predicted": {"sure": 0.34}}
LOOSE = {"at_least": -1e6, "skill": -1e6, "at_most": 1e6}
CURVE: dict[str, Any] = {**PICTURES, "name": "curve", "data_curve": True}
ASKED: dict[str, dict[str, list[str]]] = {
    "openmoji-dalle": {
        "prompt": ["--prompt", "kind1 number 3"],
        "reference": ["--reference", "like.png"],
        "both": ["--reference", "like.png", "--prompt", "kind1 number 3"],
        "nothing": [],
    },
    "openmoji": {
        "prompt": ["--prompt", "kind1 number 3", "--guidance", "3", "--steps", "2"],
        "another prompt": ["--prompt", "kind2 number 8", "--guidance", "3", "--steps", "2"],
        "other words": ["--prompt", "Kind2 quokka", "--steps", "2"],
        "varied": ["--image", "like.png", "--strength", "0.3"],
        "completed": ["--image", "like.png", "--mask", "mask.png"],
    },
    "openmoji-sketch": {
        "sketch": ["--sketch", "outline.png"],
        "named": ["--sketch", "outline.png", "--prompt", "kind1 number 3"],
    },
    "emoji-upscale": {"image": ["--image", "like.png"]},
    "fashion": {
        "label": ["--label", "kind1"],
        "completed": ["--image", "like.png", "--mask", "mask.png", "--label", "kind1"],
        "extended": ["--image", "half.png", "--extend", "right=1"],
    },
    "fashion-few-labels": {"label": ["--label", "kind1"], "unknown": ["--label", "kind7"]},
    "faces": {"plain": []},
}


def small(recipe: str) -> dict[str, Any]:
    """A recipe with all numbers small, and of the pictures in `made`."""
    told = yaml.safe_load((ROOT / "recipes" / f"{recipe}.yaml").read_text())
    for column in (told.get("content"), *told.get("columns", {}).values(), *told.get("derived", {}).values()):
        if column is not None and "size" in column:
            column["size"] = [SIDES[side] for side in column["size"]]
        if column is not None:
            column |= KINDS.get(column["kind"], {})
    for member in (told, *told.get("models", {}).values()):
        if "select" in member:
            member["select"] |= {"dials": [0.125], "budget": BUDGETS["select"]["budget"]}
            member["train"] |= BUDGETS["train"]
        member["accept"] = {name: {how: LOOSE[how] for how in bound} for name, bound in member.get("accept", {}).items()}
    for member in told.get("models", {}).values():
        member.pop("samples", None)
    given = {name: name for name in ("caption", "sketch", "label") if name in told.get("columns", {})}
    given |= {"condition": told["condition"]} if "condition" in told else {}
    form = {"kind": "table", "content": "picture", **({"given": given} if given else {})}
    options = {kind: {**chosen, "steps": 3} for kind, chosen in told.get("sampling", {}).items()}
    return {
        **told,
        "sources": [{"kind": "folder", "path": "made/table.jsonl", "form": form}],
        "split": {"validation": 0.2, "test": 0.3},
        "samples": 16,
        "sampling": options,
    }


def pictures(folder: Path) -> None:
    """A table of captioned and labelled pictures with their outlines, and what champions are directed by."""
    (folder / "made").mkdir()
    rows = []
    for place, data in enumerate(modalities.get("image").fixture(150)):
        (folder / "made" / f"{place}.png").write_bytes(data)
        with Image.open(folder / "made" / f"{place}.png") as picture:
            ImageOps.invert(picture.convert("L").filter(ImageFilter.FIND_EDGES)).save(folder / "made" / f"{place}-edges.png")
        kind = f"kind{place % 3}"
        names = {"picture": f"{place}.png", "sketch": f"{place}-edges.png"}
        rows.append({**names, "caption": f"{kind} number {place}", "label": kind})
    (folder / "made" / "table.jsonl").write_text("\n".join(map(json.dumps, rows)))
    like = Image.radial_gradient("L").resize((16, 16))
    like.save(folder / "like.png")
    like.crop((0, 0, 8, 16)).save(folder / "half.png")
    ImageOps.invert(like.filter(ImageFilter.FIND_EDGES)).save(folder / "outline.png")
    mask = np.zeros((16, 16), dtype=np.uint8)
    mask[:, 8:] = 255
    Image.fromarray(mask).save(folder / "mask.png")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes")
    pictures(folder)
    fill(folder / "shapes", "image", 150, kinds=3)
    for recipe in (*map(small, ASKED), CURVE):
        write(folder, recipe)
    return folder


Told = Mapping[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def told(workspace: Path) -> Told:
    """What came of each command line, by recipe and what was asked."""
    lines: dict[tuple[str, str], list[str]] = {}
    for name, asked in ASKED.items():
        lines[name, "run"] = ["run", name, "--json"]
        drawn = ["generate", name, "-n", "2", "--json", "--out"]
        lines |= {(name, what): [*drawn, f"{name}-{what}", *how] for what, how in asked.items()}
    lines |= {("openmoji-dalle", "show"): ["show", "openmoji-dalle"]}
    lines |= {("openmoji", "page"): ["status", "openmoji", "--page", "--json"]}
    lines |= {("curve", "run"): ["run", "curve", "--json"], ("curve", "again"): ["run", "curve"]}
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace), "GENWRIGHT_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command, asked_for = [sys.executable, "-m", "tests.driver"], json.dumps([[line] for line in lines.values()])
    done = subprocess.run(command, input=asked_for, env=environment, cwd=workspace, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(lines, (json.loads(said)[0] for said in done.stdout.splitlines()), strict=True))


def document(told: Told, recipe: str, what: str) -> Any:
    """What a command said as JSON."""
    said = told[recipe, what]
    assert said["code"] == 0, said
    return json.loads(said["stdout"])


def files(told: Told, recipe: str, what: str) -> list[str]:
    """Hashes of what was drawn."""
    return list(document(told, recipe, what)["files"].values())


@pytest.mark.parametrize("recipe", ASKED)
def test_it_runs_and_can_be_directed(recipe: str, told: Told, workspace: Path) -> None:
    ran = document(told, recipe, "run")
    assert ran["promoted"], ran["verdict"]
    for what in ASKED[recipe]:
        if what != "unknown":
            assert len(set(files(told, recipe, what))) == 2, what
    members = yaml.safe_load((ROOT / "recipes" / f"{recipe}.yaml").read_text()).get("models", {})
    assert {recipe, *(f"{recipe}~{key}" for key in members)} <= set(Versions(Workspace(workspace)).names())


@pytest.mark.parametrize("recipe", ["openmoji", "fashion"])
def test_of_a_completed_picture_stays_what_the_mask_leaves(recipe: str, told: Told, workspace: Path) -> None:
    assert files(told, recipe, "completed")
    with Image.open(workspace / "like.png") as picture:
        like = np.asarray(picture)
    for place in range(2):
        with Image.open(workspace / f"{recipe}-completed" / f"sample-{place:04d}.png") as picture:
            made = np.asarray(picture.convert("L"))
        assert np.array_equal(made[:, :8], like[:, :8])
        assert not np.array_equal(made[:, 8:], like[:, 8:])


def test_what_is_given_makes_a_difference(told: Told) -> None:
    ways = [files(told, "openmoji-dalle", what)[0] for what in ASKED["openmoji-dalle"]]
    assert len(set(ways)) == len(ways)
    assert files(told, "openmoji", "prompt") != files(told, "openmoji", "another prompt")
    assert "no text that was learned from has Kind2 (kind2?), quokka" in told["openmoji", "other words"]["stderr"]
    assert not told["openmoji", "prompt"]["stderr"]
    assert files(told, "openmoji-sketch", "sketch") != files(told, "openmoji-sketch", "named")


def test_a_cascade_is_judged_by_a_model_that_has_no_part_in_it(told: Told) -> None:
    measures = document(told, "openmoji-dalle", "run")["evaluation"]["measures"]
    assert {"mmd", "r_precision", "mmd@vary"} <= set(measures)
    assert "retrieval" not in measures
    assert 0 < measures["r_precision"]["naive"] < 0.1
    assert 0 <= measures["r_precision"]["detail"]["nearest by text"] <= 1


def test_what_it_takes_and_how_it_comes_about_is_shown(told: Told) -> None:
    words = " ".join(told["openmoji-dalle", "show"]["stdout"].split())
    for step in ("derive said from caption", "make seen by prior", "make small by decoder", "derive low from small"):
        assert step in words
    assert "--reference" in words
    assert "judge" not in words
    assert "give said=" not in words


def test_labels_that_few_items_have_are_filled_in_and_asked_by_name(told: Told) -> None:
    assert "agreement" in document(told, "fashion-few-labels", "run")["evaluation"]["measures"]
    assert "knows no such label" in told["fashion-few-labels", "unknown"]["error"]
    assert "kind0, kind1, kind2" in told["fashion-few-labels", "unknown"]["error"].replace("'", "")


def test_of_several_things_given_it_is_told_what_each_is_worth(told: Told) -> None:
    """Of the caption beside the outline, too; and by what figures were taken."""
    ran = document(told, "openmoji-sketch", "run")
    assert set(ran["evaluation"]["measures"]["heeds@named"]["detail"]["by"]) == {"sketch", "caption"}
    page = Path(ran["report"]).read_text()
    assert "With caption shuffled among the items it falls by" in page
    assert "A model of the same build that has learned nothing has" in page
    assert "extractor: patch filters learned from" in page
    assert page.index('id="verdict"') < page.index("are kept:") < page.index('id="next"') < page.index('id="samples"')


def test_what_is_made_in_latents_is_shown_while_it_trains(told: Told, workspace: Path) -> None:
    assert document(told, "openmoji", "run")["promoted"]
    sheets = list((workspace / ".genwright" / "runs").glob("*/round-1/shown/*.png"))
    titles = {json.loads((sheet.parents[2] / "run.json").read_text())["model"] for sheet in sheets}
    assert {"codec", "painter", "decoder", "upsampler"} <= titles
    assert "prior" not in titles
    page = Path(document(told, "openmoji", "page")["page"]).read_text()
    assert page.index("<h2>painter round-1</h2>") < page.index("<h2>codec round-1</h2>")


def test_whether_more_data_would_help_is_told_and_not_found_out_twice(told: Told) -> None:
    page = Path(document(told, "curve", "run")["report"]).read_text()
    assert "Would more data help?" in page
    assert any(words in page for words in ("Flat: mmd is", "Twice the data would gain", "More data made it worse"))
    assert "Nothing was trained: same recipe, same data" in told["curve", "again"]["stdout"]
