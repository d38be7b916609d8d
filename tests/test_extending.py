"""The worked examples of ARCHITECTURE.md, followed: its code blocks become a package, and nothing else is edited."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.workspaces import founded

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```(?:python|toml)\n# (\S+)\n(.*?)```", re.DOTALL)
GENWRIGHT = [sys.executable, "-m", "genwright"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package of the worked examples is installed, as pip would leave it."""
    folder = tmp_path_factory.mktemp("installed")
    blocks = dict(BLOCK.findall((ROOT / "ARCHITECTURE.md").read_text()))
    project = tomllib.loads(blocks.pop("pyproject.toml"))["project"]
    for name, text in blocks.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "studio_parts" / "__init__.py").touch()
    info = folder / f"studio_parts-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = (f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items()) for group, points in groups)
    (info / "entry_points.txt").write_text("".join(lines))
    return folder


def run(package: Path, command: list[str], workspace: Path) -> str:
    """What a command prints, run where the package is installed."""
    path = os.pathsep.join([str(package), str(ROOT)])
    own = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "GENWRIGHT_THREADS": "1", "GENWRIGHT_WORKSPACE": str(workspace)}
    done = subprocess.run(command, env=os.environ | own, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def workspace_with(folder: Path, recipe: dict[str, Any], files: dict[str, list[bytes]], suffix: str) -> Path:
    """A workspace with one recipe and `files` by folder."""
    (folder / "recipes").mkdir(parents=True)
    (folder / "recipes" / f"{recipe['name']}.yaml").write_text(yaml.safe_dump(recipe))
    for place, contents in files.items():
        (folder / place).mkdir()
        for number, data in enumerate(contents):
            (folder / place / f"{number}{suffix}").write_bytes(data)
    return founded(folder)


def made(package: Path, kind: str, workspace: Path, n: int) -> list[bytes]:
    """Tiny files of a kind of content that only the package knows."""
    program = f"from genwright.parts import modalities as m; print([d.hex() for d in m.get({kind!r}).fixture({n})])"
    return [bytes.fromhex(text) for text in yaml.safe_load(run(package, [sys.executable, "-c", program], workspace))]


def test_each_example_is_one_file_of_one_class() -> None:
    blocks = dict(BLOCK.findall((ROOT / "ARCHITECTURE.md").read_text()))
    python = {name: text for name, text in blocks.items() if name.endswith(".py")}
    assert len(python) == 5
    for name, text in python.items():
        assert text.count(".register\n") == 1, name
        assert len(text.splitlines()) < 90, name


def test_the_conformance_suite_tests_them_by_being_there(package: Path, tmp_path: Path) -> None:
    """The family with everything that the suite gives; each other part by its own checks."""
    chosen = "mlp_flow-image-all] or dna or posterised or brightness or say_who"
    suite = ["tests/test_conformance.py", "tests/data/derivations/test_every.py", "-k", chosen, "-p", "no:cacheprovider", "-vv"]
    said = run(package, [sys.executable, "-m", "pytest", *suite], tmp_path)
    cases = [f"{check}[mlp_flow-image-all]" for check in ("loss_falls", "decode", "saved_and_loaded", "nothing_given")]
    cases += ["there_and_back[dna]", "refuses_what_it_is_not[dna]", "that_were_promised[posterised]"]
    for case in [*cases, "its_own_value[brightness]", "who_they_are[filters]"]:
        assert f"{case} PASSED" in said, case


@pytest.mark.long
@pytest.mark.usefixtures("team_server")
def test_the_family_races_is_trained_registered_and_sampled_and_the_filter_applies(package: Path, tmp_path: Path) -> None:
    from genwright.data.modalities.base import modalities

    files = modalities.get("image").fixture(180)
    recipe = {
        "name": "shapes",
        "content": {"kind": "image", "size": [8, 8], "channels": 1},
        "sources": [
            {"kind": "folder", "path": "owned", "licence": "MIT"},
            {"kind": "folder", "path": "found", "licence": "all rights reserved"},
        ],
        "cleaning": [{"kind": "licence", "allowed": ["MIT"]}],
        "split": {"validation": 0.2, "test": 0.3},
        # A VAE that always samples its mean cannot win, so the race has a certain end.
        "select": {"families": ["mlp_flow", "vae"], "budget": {"steps": 40}},
        "sampling": {"vae": {"temperature": 0}},
        "train": {"budget": {"steps": 60}, "rounds": 1, "evaluate": 2},
        "samples": 32,
    }
    there = workspace_with(tmp_path, recipe, {"owned": files[:150], "found": files[150:]}, ".png")
    outcome = json.loads(run(package, [*GENWRIGHT, "run", "shapes", "--json"], there))
    assert outcome["champion"] == 1
    assert 0 <= outcome["evaluation"]["measures"]["brightness"]["value"] <= 2

    contents = json.loads((there / "data" / "shapes" / "clean" / "dataset.json").read_text())
    assert contents["dropped"] == {"licence": 30}
    assert sum(contents["splits"].values()) == 150

    selection = json.loads(next(there.glob(".genwright/runs/*/selection.json")).read_text())
    verdicts = {row["family"]: row["verdict"] for row in selection["table"]}
    assert (verdicts["mlp_flow"], verdicts["vae"], verdicts["gpt"]) == ("won", "lost", "rejected")
    assert all(row["scores"] for row in selection["table"] if row["family"] in ("mlp_flow", "vae"))

    out = tmp_path / "samples"
    said = json.loads(run(package, [*GENWRIGHT, "generate", "shapes", "-n", "3", "--out", str(out), "--json"], there))
    assert said["model"]["version"] == 1
    assert len(list(out.glob("sample-*.png"))) == 3


@pytest.mark.long
@pytest.mark.usefixtures("team_server")
def test_the_kind_of_content_is_collected_cleaned_encoded_and_trained_on(package: Path, tmp_path: Path) -> None:
    recipe = {
        "name": "genomes",
        "content": {"kind": "dna", "length": 48},
        "sources": [{"kind": "folder", "path": "sequences"}],
        "split": {"validation": 0.2, "test": 0.3},
        "select": {"families": ["gpt"], "dials": [0.25], "budget": {"steps": 10}},
        "train": {"budget": {"steps": 20}, "rounds": 1, "evaluate": 2},
        "samples": 16,
    }
    files = [*made(package, "dna", tmp_path, 120), b">short\nACG\n", b">protein\nMKVLAAGIEQW\n"]
    there = workspace_with(tmp_path, recipe, {"sequences": files}, ".fa")
    outcome = json.loads(run(package, [*GENWRIGHT, "run", "genomes", "--json"], there))
    assert outcome["champion"] == 1
    assert outcome["evaluation"]["measures"]["bits_per_byte"]["value"] < 8

    contents = json.loads((there / "data" / "genomes" / "clean" / "dataset.json").read_text())
    assert contents["columns"]["content"]["shape"] == {"kind": "tokens", "vocab": 8, "length": 48}
    assert contents["dropped"] == {"content": 1, "corrupt": 1}

    out = tmp_path / "samples"
    run(package, [*GENWRIGHT, "generate", "genomes", "-n", "2", "--prompt", "ACGT", "--out", str(out)], there)
    assert all("\nACGT" in file.read_text() for file in out.glob("sample-*.fa"))


@pytest.mark.long
@pytest.mark.usefixtures("team_server")
def test_the_derivation_is_kept_with_the_data_and_the_family_is_given_it(package: Path, tmp_path: Path) -> None:
    from genwright.data.modalities.base import modalities

    files = modalities.get("image").fixture(100)
    recipe = {
        "name": "shaded",
        "content": {"kind": "image", "size": [8, 8], "channels": 1},
        "derived": {"flat": {"kind": "posterised", "of": "content", "tones": 3}},
        "given": ["flat"],
        "sources": [{"kind": "folder", "path": "pictures"}],
        "split": {"validation": 0.2, "test": 0.4},
        "select": {"families": ["mlp_flow"], "budget": {"steps": 10}},
        "train": {"budget": {"steps": 40}, "rounds": 1, "evaluate": 2},
        "samples": 32,
    }
    there = workspace_with(tmp_path, recipe, {"pictures": files}, ".png")
    assert json.loads(run(package, [*GENWRIGHT, "run", "shaded", "--json"], there))["champion"] == 1
    kept = there / "data" / "shaded" / "derived" / "flat"
    assert set(np.load(kept / "train.flat.npy").ravel().tolist()) <= {-1.0, 0.0, 1.0}

    told = json.loads(run(package, [*GENWRIGHT, "show", "shaded", "--json"], there))
    assert {one["name"]: one["alias"] for one in told["inputs"]}["flat"] == "image"
    out = tmp_path / "samples"
    asked = ["-n", "2", "--image", str(tmp_path / "pictures" / "0.png"), "--out", str(out)]
    run(package, [*GENWRIGHT, "generate", "shaded", *asked], there)
    assert len(list(out.glob("sample-*.png"))) == 2
