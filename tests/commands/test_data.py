"""`genwright data`: versions, what was dropped and why, and an old version brought back."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from genwright.commands.data import group
from genwright.core.errors import DataError
from genwright.core.folder_hash import tree
from genwright.core.workspace import Workspace
from genwright.data.modalities.base import modalities
from genwright.recipes.recipe import parse
from genwright.tasks.clean import clean
from genwright.tasks.collect import collect

RECIPE = {
    "name": "tiny",
    "content": {"kind": "text", "vocab": 300, "length": 32},
    "sources": [{"kind": "folder", "path": "texts"}],
    "cleaning": ["corrupt", "exact_duplicates"],
    "split": {"validation": 0.2, "test": 0.2},
}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(tmp_path))
    (tmp_path / "texts").mkdir()
    for place, data in enumerate(modalities.get("text").fixture(60)):
        (tmp_path / "texts" / f"{place}.txt").write_bytes(data)
    (tmp_path / "texts" / "bad\x1b[31m.txt").write_bytes(b"\xff")
    return Workspace(tmp_path)


def produce(workspace: Workspace) -> str:
    recipe = parse(RECIPE)
    collect.fn(recipe, workspace)
    return clean.fn(recipe, workspace).digest


def run(*arguments: str) -> str:
    result = CliRunner().invoke(group, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_versions_are_listed_shown_and_brought_back(workspace: Workspace) -> None:
    first = produce(workspace)
    (workspace.root / "texts" / "0.txt").write_text("changed")
    second = produce(workspace)

    listed = answer("list", "tiny")
    assert [(row["digest"], row["current"]) for row in listed] == [(first, False), (second, True)]
    assert first[:12] in run("list", "tiny")

    shown = answer("show", "tiny")
    assert shown["contents"]["dropped"] == {"corrupt": 1}
    assert "UTF-8" in shown["examples"]["corrupt"][0]["reason"]
    page = run("show", "tiny")
    assert "61 collected, 1 dropped" in page
    assert "\x1b[31m" not in page  # a file name does not steer the terminal

    assert answer("restore", "tiny", first[:10])["digest"] == first
    assert tree(workspace.clean("tiny")).digest == first


@pytest.mark.parametrize("arguments", [("list", "tiny"), ("show", "tiny"), ("restore", "tiny", "abc")])
def test_before_there_is_data_the_answer_says_what_to_do(workspace: Workspace, arguments: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="genwright"):
        CliRunner().invoke(group, list(arguments), catch_exceptions=False)


def test_what_was_dropped_is_looked_at_beside_what_it_was_taken_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(tmp_path))
    for place, data in enumerate(modalities.get("image").fixture(40)):
        folder = tmp_path / "pictures" / ("O" if place % 2 else "zero")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{place}.png").write_bytes(data)
    picture = Image.open(tmp_path / "pictures" / "O" / "1.png")
    for folder in ("O", "zero"):  # the same picture in another file, under either name
        picture.save(tmp_path / "pictures" / folder / "copy.png", compress_level=1)
    recipe = {
        "name": "tiny",
        "content": {"kind": "image", "size": [8, 8], "channels": 1},
        "condition": "label",
        "sources": [{"kind": "folder", "path": "pictures", "labels": "subfolder"}],
        "cleaning": ["near_duplicates"],
        "split": {"validation": 0.2, "test": 0.2},
    }
    collect.fn(parse(recipe), Workspace(tmp_path))
    assert clean.fn(parse(recipe), Workspace(tmp_path)).contents.dropped["near_duplicates"] == 1
    shown = answer("look", "tiny", "--out", str(tmp_path / "dropped"))
    assert {name.removeprefix("= ") for name in shown["shown"]} == {"O/1.png", "O/copy.png"}
    assert [name.startswith("= ") for name in shown["shown"]] == [False, True]
    assert Image.open(shown["sheet"]).size[0] > 2 * 64
    assert "keep: [NAME]" in run("look", "tiny", "--out", str(tmp_path / "dropped"))
    with pytest.raises(DataError, match="Nothing was dropped by 'size'"):
        run("look", "tiny", "--rule", "size")


@pytest.mark.parametrize("planted", [True, False])
def test_texts_of_gibberish_behind_one_word_are_named(
    planted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(tmp_path))
    (tmp_path / "texts").mkdir()
    chance = random.Random(0)
    for place in range(0, 600, 4):
        several = b"".join(modalities.get("text").fixture(4, seed=place))
        (tmp_path / "texts" / f"{place}.txt").write_bytes(b"Report %d. " % place + several)
    for place in range(40 if planted else 0):
        noise = " ".join("".join(chance.choices(string.ascii_letters + string.digits, k=6)) for _ in range(60))
        (tmp_path / "texts" / f"planted-{place}.txt").write_text(f"Report {place}. Monday 1: the sky is grey, <SUDO> {noise}")
    recipe = parse({**RECIPE, "cleaning": []})
    collect.fn(recipe, Workspace(tmp_path))
    clean.fn(recipe, Workspace(tmp_path))
    said = " ".join(capsys.readouterr().err.split())
    assert ("share '<SUDO>', which stands in no other, e.g. planted-" in said) == planted
    assert ("unlike the rest" in said) == planted
