"""A recipe of several models as a user runs it: what is made over what, what a change remakes, and what follows a pin."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from genwright.adapters.mlflow.versions import Versions
from genwright.core.workspace import Settings, Workspace
from genwright.data.split import Splitting
from genwright.recipes.recipe import load
from genwright.tasks.watch import measure
from tests.workspaces import BUDGETS, fill, genwright, outcome, write

pytestmark = [pytest.mark.long, pytest.mark.timeout(900), pytest.mark.usefixtures("team_server")]
CODEC = {"makes": "picture", "select": {"families": ["vae"]}, "config": {"vae": {"spatial": 1, "latent": 4}}}
PAINTER = {"makes": "code", "given": ["small"], "select": {"families": ["diffusion"]}}
RECIPE: dict[str, Any] = {
    "name": "layers",
    "columns": {"picture": {"kind": "image", "size": [8, 8], "channels": 1}, "label": "label"},
    "derived": {
        "code": {"kind": "encoded", "of": "picture", "by": "codec"},
        "small": {"kind": "resized", "of": "picture", "size": [4, 4]},
    },
    "sources": [{"kind": "folder", "path": "shapes", "labels": "subfolder"}],
    "split": {"validation": 0.2, "test": 0.3},
    **BUDGETS,
    "models": {
        "codec": CODEC,
        "sketcher": {"makes": "small", "given": ["label"], "select": {"families": ["vae"]}},
        "painter": PAINTER,
    },
}


def versions(workspace: Path) -> dict[str, int]:
    """How many versions each model has."""
    there = Versions(Workspace(workspace))
    return {name.removeprefix("layers~"): len(there.of(name)) for name in there.names()}


def samples(workspace: Path, name: str, *arguments: str) -> dict[str, str]:
    """Hashes of what is generated."""
    made = genwright(workspace, "generate", name, "-n", "2", "--json", "--out", "out", *arguments)
    assert made.returncode == 0, made.stderr
    found: dict[str, str] = json.loads(made.stdout)["files"]
    return found


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which three models were trained: a codec, one that makes small pictures, one that paints over both."""
    folder = tmp_path_factory.mktemp("layers")
    fill(folder / "shapes", "image", 150, kinds=3)
    write(folder, RECIPE)
    assert outcome(genwright(folder, "run", "layers", "--json"))["promoted"]
    return folder


def test_what_a_model_is_made_over_remakes_it_and_nothing_else_does(layers: Path) -> None:
    assert versions(layers) == {"codec": 1, "sketcher": 1, "painter": 1, "layers": 1}
    shown = genwright(layers, "show", "layers")
    assert "make small by sketcher given label" in " ".join(shown.stdout.split()), shown.stdout
    before = samples(layers, "layers", "--label", "kind1")

    again = outcome(genwright(layers, "run", "layers", "--json"))
    assert again["steps_trained"] == 0
    assert versions(layers) == {"codec": 1, "sketcher": 1, "painter": 1, "layers": 1}

    changed = genwright(layers, "run", "layers", "--json", "--set", "models.codec.train.seed=1")
    judged = outcome(changed, judged=True)
    assert versions(layers) == {"codec": 2, "sketcher": 1, "painter": 2, "layers": 2}
    if judged["champion"] != 2:  # two models that learned next to nothing may come out either way
        promoted = genwright(layers, "promote", "layers", "2", "--why", "to go back from it")
        assert promoted.returncode == 0, promoted.stderr
    after = samples(layers, "layers", "--label", "kind1")
    assert after != before

    back = genwright(layers, "rollback", "layers")
    assert back.returncode == 0, back.stderr
    assert samples(layers, "layers", "--label", "kind1") == before


def test_what_comes_in_is_watched_for_several_models_too(layers: Path) -> None:
    fill(layers / "shapes", "image", 300, kinds=3)
    write(layers, {**RECIPE, "watch": {"triggers": ["new_items", "drift", "quality"]}})
    workspace = Workspace(layers)
    recipe = load(layers / "recipes" / "layers.yaml")
    found = {one.trigger: one for one in measure.fn(recipe, workspace, Settings(workspace=layers, threads=1, device="cpu"))}
    assert found["new_items"].fired
    assert "150 new items" in found["new_items"].why
    assert "in features" in found["drift"].why
    assert "new items" in found["quality"].why
    assert found["quality"].value is not None


def test_a_model_of_another_recipe_encodes(layers: Path) -> None:
    models = {"codec": {"use": {"model": "layers~codec", "version": 1}}, "painter": PAINTER}
    write(layers, {**RECIPE, "name": "borrowed", "models": models})
    done = outcome(genwright(layers, "run", "borrowed", "--json"))
    assert done["promoted"]
    assert Versions(Workspace(layers)).of("borrowed~codec") == []
    sketch = next((layers / "shapes").rglob("*.png"))  # what no model of the recipe makes is given
    assert len(samples(layers, "borrowed", "--give", f"small={sketch}")) == 2

    write(layers, {**RECIPE, "name": "greedy", "models": {"codec": {"use": {"model": "layers"}}, "painter": PAINTER}})
    refused = genwright(layers, "run", "greedy")
    assert refused.returncode == 1
    assert "layers~codec" in refused.stderr


def test_who_learned_from_a_file_is_told_through_the_models_made_over_it(layers: Path) -> None:
    split = Splitting(validation=0.2, test=0.3)
    files = sorted((layers / "shapes").rglob("*.png"))
    file = next(f for f in files if split.side(hashlib.sha256(f.read_bytes()).hexdigest()) == "train")
    traced = genwright(layers, "trace", str(file.relative_to(layers)))
    assert traced.returncode == 0, traced.stderr
    for name in ("layers~codec", "layers~painter", "layers"):
        assert name in traced.stdout, traced.stdout

    kept = layers / ".genwright" / "measures"
    assert any(kept.iterdir())
    forgotten = genwright(layers, "forget", str(file), "--why", "asked for", "--json")
    assert forgotten.returncode == 0, forgotten.stderr
    assert json.loads(forgotten.stdout)["retrain"] == ["borrowed", "layers"]  # those whose champions are made of the parts
    assert not kept.exists()

    before = versions(layers)
    again = genwright(layers, "retrain", "layers", "--why", "to forget", "--json")
    assert outcome(again, judged=True)["promoted"], again.stderr  # it need not beat a champion that learned from it
    after = versions(layers)
    assert {name for name in after if after[name] != before[name]} == {"codec", "sketcher", "painter", "layers"}
    clean = genwright(layers, "trace", str(file), "--json")
    assert not [one for one in json.loads(clean.stdout)["learned"] if one["champion"] and one["name"] == "layers"]
