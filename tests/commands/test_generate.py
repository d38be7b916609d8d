"""`genwright generate`, and the same from Python: files people open, the same bytes for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import genwright
from genwright.commands.app import build
from genwright.core.durable import sha256
from genwright.core.errors import GenwrightError, ModelError
from genwright.core.workspace import Workspace
from tests import registered


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a champion, version 1, and a later version 2; nothing here changes it."""
    workspace = registered.workspace(tmp_path_factory.mktemp("generate") / "workspace")
    registered.promote(workspace)
    registered.register(workspace, seed=1)
    return workspace


@pytest.fixture
def place(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder a person stands in while that workspace is set."""
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(workspace.root))
    monkeypatch.setenv("GENWRIGHT_DEVICE", "cpu")
    monkeypatch.setenv("GENWRIGHT_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    return tmp_path


def generate(*arguments: str) -> Any:
    """The document `--json` prints. Raises what the command raises."""
    done = CliRunner().invoke(build(), ["generate", "digits", "--json", *arguments])
    if isinstance(done.exception, GenwrightError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes(place: Path) -> None:
    generate("-n", "5", "--seed", "7", "--out", "a")
    generate("-n", "5", "--seed", "7", "--out", "b")
    generate("-n", "5", "--seed", "8", "--out", "c")
    assert contents(place / "a") == contents(place / "b")
    assert contents(place / "a")["sample-0000.png"] != contents(place / "c")["sample-0000.png"]


def test_it_writes_pictures_a_sheet_and_where_they_came_from(place: Path) -> None:
    said = generate("-n", "3", "--seed", "7", "--label", "blue", "--set", "temperature=0.5", "--out", "a")
    names = [f"sample-{i:04d}.png" for i in range(3)]
    assert set(contents(place / "a")) == {*names, "sheet.png", "samples.json"}
    assert Image.open(place / "a" / names[0]).size == (8, 8)
    assert json.loads((place / "a" / "samples.json").read_text()) == said
    assert said["model"]["version"] == 1
    assert said["model"]["weights"] == registered.trained(0).weights
    assert said["model"]["data"] == registered.DATA
    assert said["asked"] == dict.fromkeys(names, "blue")
    assert said["settings"] == {"n": 3, "seed": 7, "label": "blue", "options": {"temperature": 0.5}}
    assert said["files"] == {name: sha256(place / "a" / name) for name in names}


def test_another_version_can_be_asked(place: Path) -> None:
    assert generate("-n", "1", "--version", "2", "--out", "a")["model"]["weights"] == registered.trained(1).weights


def test_a_walk_goes_from_one_file_to_the_other(place: Path) -> None:
    generate("-n", "2", "--out", "a")
    ends = ["a/sample-0000.png", "a/sample-0001.png"]
    said = generate("-n", "4", "--between", *ends, "--out", "walk")
    assert said["settings"]["between"] == ends
    walk = list(said["files"].values())
    assert len(set(walk)) == 4
    for end, place in zip(ends, (0, -1), strict=True):  # what the model makes of the files themselves
        assert set(generate("-n", "2", "--between", end, end, "--out", "stay")["files"].values()) == {walk[place]}


def test_a_picture_gets_more_of_what_tells_two_kinds_apart(place: Path) -> None:
    generate("-n", "6", "--out", "with")
    generate("-n", "6", "--seed", "1", "--out", "without")
    for folder in ("with", "without"):
        (place / folder / "samples.json").unlink()
        (place / folder / "sheet.png").unlink()
    base = ["--image", "with/sample-0000.png", "--toward", "with", "--away", "without"]
    said = generate("-n", "3", *base, "--by", "2", "--out", "more")
    assert said["settings"] == {"image": base[1], "toward": "with", "away": "without", "by": 2.0, "n": 3}
    end = generate("-n", "1", *base, "--by", "2", "--out", "end")
    assert set(end["files"].values()) == {list(said["files"].values())[-1]}
    same = generate("-n", "3", "--image", base[1], "--toward", "with", "--away", "with", "--out", "same")
    first, *others = [Image.open(place / "same" / name).tobytes() for name in same["files"]]
    assert all(other == first for other in others)
    more = [np.asarray(Image.open(place / "more" / name), dtype=float) for name in said["files"]]
    assert more[0].astype(np.uint8).tobytes() == first
    far = [float(abs(step - more[0]).mean()) for step in more]
    assert 0 < far[1] < far[2], "the farther along the way, the more it changes"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--image", "a.png", "--toward", "there"], "told by two folders"),
        (["--label", "mauve"], "knows no such label"),
        (["--label", "blue", "--give", "condition=blue"], "given twice"),
        (["--give", "colour=blue"], "not given any 'colour'"),
        (["--give", "colour"], "NAME=VALUE"),
        (["--image", "none.png"], "takes no image"),
        (["--set", "temprature=1"], "cannot sample that way"),
        (["--set", "temperature"], "OPTION=VALUE"),
        (["--prompt", "Once"], "takes no prompt"),
        (["--version", "9"], "no version 9"),
        (["-n", "0"], "cannot be generated at once"),
        (["-n", "1000000000"], "cannot be generated at once"),
        (["--between", "none.png", "none.png"], "cannot be read"),
        (["--between", "a.png", "b.png", "--label", "blue"], "takes no other input"),
        (["--out", "file"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], words: str, place: Path) -> None:
    with pytest.raises(ModelError, match=words):
        generate(*arguments)
    assert not (place / "samples").exists()


def test_from_python_it_is_the_same(place: Path) -> None:
    generate("-n", "4", "--seed", "3", "--out", "a")
    pictures = genwright.load("digits").generate(4, seed=3)
    written = [np.asarray(Image.open(place / "a" / f"sample-{i:04d}.png")) for i in range(4)]
    assert all(np.array_equal(a, b) for a, b in zip(pictures, written, strict=True))


def test_a_model_that_is_not_there_is_said(place: Path) -> None:
    with pytest.raises(ModelError, match="did you mean 'digits'"):
        genwright.load("digit")
