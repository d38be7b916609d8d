"""Recipes whose models also tell things apart: a cascade with an encoder and a judge, and labels that a classifier fills in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.workspaces import BUDGETS, PICTURES, fill, write

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[1]
SOURCE: dict[str, Any] = {"kind": "folder", "path": "shapes"}
SPLIT = {"validation": 0.2, "test": 0.3}
PICTURE = {"kind": "image", "size": [16, 16], "channels": 1}
CASCADE: dict[str, Any] = {
    "name": "cascade",
    "columns": {"picture": PICTURE, "caption": {"kind": "text", "vocab": 300, "length": 16}},
    "derived": {
        "small": {"kind": "resized", "of": "picture", "size": [8, 8]},
        "low": {"kind": "degraded", "of": "small", "noise": 0.2},
        "seen": {"kind": "encoded", "of": "small", "by": "clip", "column": "small"},
        "said": {"kind": "encoded", "of": "caption", "by": "clip", "column": "caption"},
    },
    "sources": [{**SOURCE, "captions": ".txt"}],
    "split": SPLIT,
    **BUDGETS,
    "makes": "picture",
    "models": {
        "upsampler": {"makes": "picture", "given": ["low", {"seen": 0.2}], "select": {"families": ["diffusion"]}},
        "decoder": {"makes": "small", "given": [{"seen": 0.2}, {"caption": 0.2}], "select": {"families": ["diffusion"]}},
        "prior": {"makes": "seen", "given": [{"caption": 0.2}, {"said": 0.2}], "select": {"families": ["prior"]}},
        "clip": {"given": ["small", "caption"], "select": {"families": ["clip"]}, "accept": {"retrieval": {"at_least": 0}}},
        "judge": {"given": ["picture", "caption"], "select": {"families": ["clip"]}},
    },
    "tasks": {"draw": ["caption"], "vary": ["seen"]},
    "sampling": {"prior": {"steps": 3}, "diffusion": {"steps": 3, "guidance": 2.0}},
    "accept": {"r_precision": {"at_least": 0}},
}
FEW: dict[str, Any] = {
    "name": "few",
    "columns": {"picture": PICTURE, "label": {"kind": "label"}},
    "derived": {
        "few": {"kind": "withheld", "of": "label", "share": 0.7},
        "altered": {"kind": "augmented", "of": "picture", "shift": 0.1},
        "guessed": {"kind": "predicted", "of": "picture", "by": "teacher", "column": "picture", "sure": 0.34},
        "kind": {"kind": "filled", "of": ["few", "guessed"]},
    },
    "sources": [{**SOURCE, "labels": "subfolder"}],
    "split": SPLIT,
    **BUDGETS,
    "models": {
        "teacher": {
            "given": ["picture", "altered", "few"],
            "select": {"families": ["classifier"]},
            "accept": {"accuracy": {"at_least": 0}},
        },
        "painter": {"makes": "picture", "given": ["kind"], "select": {"families": ["vae"]}},
    },
}
CURVE: dict[str, Any] = {**PICTURES, "name": "curve", "data_curve": True}
DRAWN = ["-n", "2", "--json", "--out"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each command line said, by its last words."""
    folder = tmp_path_factory.mktemp("cascade")
    fill(folder / "shapes", "image", 150, kinds=3)
    for place, path in enumerate(sorted((folder / "shapes").rglob("*.png"))):
        path.with_suffix(".txt").write_text(f"{path.parent.name} number {place}")
    write(folder, CASCADE)
    write(folder, FEW)
    write(folder, CURVE)
    Image.radial_gradient("L").resize((16, 16)).save(folder / "like.png")
    ask = ["generate", "cascade"]
    lines = [
        ["run", "cascade", "--json"],
        [*ask, "--prompt", "kind1 number 3", *DRAWN, "by-prompt"],
        [*ask, "--reference", "like.png", *DRAWN, "by-reference"],
        [*ask, "--reference", "like.png", "--prompt", "kind1 number 3", *DRAWN, "by-both"],
        [*ask, *DRAWN, "by-nothing"],
        ["show", "cascade"],
        ["run", "few", "--json"],
        ["generate", "few", "--label", "kind1", *DRAWN, "labelled"],
        ["generate", "few", "--label", "kind7", *DRAWN, "unknown"],
        ["run", "curve", "--json"],
        ["run", "curve"],
    ]
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(folder), "GENWRIGHT_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.driver"]
    asked = json.dumps([[line] for line in lines])
    done = subprocess.run(command, input=asked, env=environment, cwd=folder, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {}
    for line, said in zip(lines, done.stdout.splitlines(), strict=True):
        [answer] = json.loads(said)
        if line[-1] != "unknown":
            assert answer["code"] in (0, 3), (line, answer)
        found[" ".join(line) if line[0] in ("run", "show") else line[-1]] = answer["stdout"] + answer["error"]
    return found


def files(said: str) -> list[str]:
    return list(json.loads(said)["files"].values())


def test_a_cascade_is_judged_by_a_model_that_has_no_part_in_it(told: dict[str, str]) -> None:
    measures = json.loads(told["run cascade --json"])["evaluation"]["measures"]
    assert {"mmd", "r_precision", "mmd@vary"} <= set(measures)
    assert "retrieval" not in measures
    assert 0 < measures["r_precision"]["naive"] < 0.1
    assert 0 <= measures["r_precision"]["detail"]["nearest by text"] <= 1


def test_it_is_asked_by_a_text_by_a_picture_by_both_or_by_nothing(told: dict[str, str]) -> None:
    drawn = [files(told[f"by-{what}"]) for what in ("prompt", "reference", "both", "nothing")]
    assert all(len(set(one)) == 2 for one in drawn)
    assert len({one[0] for one in drawn}) == 4


def test_what_it_takes_and_how_it_comes_about_is_shown(told: dict[str, str]) -> None:
    words = " ".join(told["show cascade"].split())
    for step in ("derive said from caption", "make seen by prior", "make small by decoder", "derive low from small"):
        assert step in words
    assert "--reference" in words
    assert "judge" not in words
    assert "give said=" not in words


def test_labels_that_few_items_have_are_filled_in_and_asked_by_name(told: dict[str, str]) -> None:
    assert "agreement" in json.loads(told["run few --json"])["evaluation"]["measures"]
    assert len(files(told["labelled"])) == 2
    assert "knows no such label" in told["unknown"]
    assert "kind0, kind1, kind2" in told["unknown"].replace("'", "")


def test_whether_more_data_would_help_is_told_and_not_found_out_twice(told: dict[str, str]) -> None:
    page = Path(json.loads(told["run curve --json"])["report"]).read_text()
    assert "Would more data help?" in page
    assert any(words in page for words in ("Flat: mmd is", "Twice the data would gain", "More data made it worse"))
    assert "Nothing was trained: same recipe, same data" in told["run curve"]
