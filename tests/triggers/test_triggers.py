"""Reasons to retrain: quiet on more of the same, firing on what has changed, and sure before they do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genwright.core.record import Part
from genwright.core.shapes import Tokens
from genwright.core.workspace import Settings, Workspace
from genwright.data.clean import clean
from genwright.data.collect import collect
from genwright.data.dataset import Dataset
from genwright.lifecycle.watch import WatchedChampion, seen
from genwright.recipes.recipe import Recipe, parse
from genwright.recipes.stages import cleaning, collecting
from genwright.training.fit import Fit
from genwright.triggers.base import Finding, triggers
from genwright.triggers.drift import centre_distance, frequencies
from tests import made


def pictures(folder: Path, row: int, n: int, seed: int) -> None:
    """Noisy pictures with a bright bar in a row."""
    random = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    for place in range(n):
        picture = random.integers(0, 40, (8, 8), dtype=np.uint8)
        picture[row : row + 2] += 200
        Image.fromarray(picture).save(folder / f"{row}-{seed}-{place:03d}.png")


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recipe, Dataset, Path]:
    """A workspace with a recipe, its data, and a model that was trained on it."""
    root = tmp_path_factory.mktemp("watched")
    pictures(root / "inbox", 0, 200, seed=0)
    recipe = parse(
        {
            "name": "shapes",
            "content": {"kind": "image", "size": [8, 8], "channels": 1},
            "sources": [{"kind": "folder", "path": "inbox"}],
            "cleaning": ["corrupt", "exact_duplicates"],
            "split": {"validation": 0.2, "test": 0.3},
            "samples": 64,
        }
    )
    workspace = Workspace(root)
    collect(collecting(recipe, workspace), workspace, root / "raw")
    clean(cleaning(recipe), root / "raw", root / "clean")
    data = Dataset(root / "clean")
    settings = Settings(workspace=root, threads=1, device="cpu")
    fit = Fit(data, made.plan(data, "vae", steps=300, dial=0.25), root / "fit", settings)
    for _ in fit:
        pass
    return root, recipe, data, root / "fit" / "bundle"


@pytest.fixture
def look(champion: tuple[Path, Recipe, Dataset, Path], tmp_path: Path) -> Any:
    """Check a trigger after `n` pictures with a bar in `row` came."""
    root, recipe, data, bundle = champion

    def check(kind: str, row: int = 0, n: int = 0, days: float = 1.0, **options: Any) -> Finding:
        pictures(tmp_path / "inbox", row, n, seed=1)
        source = [{"kind": "folder", "path": str(root / "inbox")}, {"kind": "folder", "path": str(tmp_path / "inbox")}]
        now = parse({**recipe.model_dump(), "sources": source[: 2 if n else 1]})
        watched = WatchedChampion(
            recipe=now,
            workspace=Workspace(root),
            settings=Settings(workspace=root, threads=1, device="cpu"),
            bundle=bundle,
            uses={},
            trained_on=data,
            seen=seen(data.folder),
            tried=datetime.now(UTC) - timedelta(days=days),
            folder=tmp_path,
        )
        part = triggers.get(kind)
        return part(part.Options.model_validate(options)).check(watched)

    return check


@pytest.mark.parametrize("kind", list(triggers.all()))
def test_every_trigger_is_quiet_when_nothing_came(look: Any, kind: str) -> None:
    found = look(kind)
    assert not found.fired
    assert found.trigger == kind
    assert found.why


@pytest.mark.parametrize(
    ("n", "options", "fired"),
    [
        (9, {}, False),
        (10, {}, True),
        (9, {"count": 9}, True),
        (9, {"share": 0.5}, False),
        (9, {"count": 9, "share": 0.5}, True),
    ],
)
def test_new_items_are_counted_or_weighed(look: Any, n: int, options: dict[str, Any], fired: bool) -> None:
    found = look("new_items", n=n, **options)
    assert found.value == n
    assert found.fired is fired


@pytest.mark.parametrize("kind", ["drift", "quality"])
def test_more_of_the_same_is_no_reason(look: Any, kind: str) -> None:
    assert not look(kind, row=0, n=80).fired


@pytest.mark.parametrize(("kind", "said"), [("drift", "loss is"), ("quality", "mmd is")])
def test_something_else_is_a_reason_and_is_said_with_figures(look: Any, kind: str, said: str) -> None:
    found = look(kind, row=6, n=80)
    assert found.fired
    assert said in found.why
    assert "80 new items" in found.why or "new items" in found.why


@pytest.mark.parametrize("kind", ["drift", "quality"])
def test_too_few_items_conclude_nothing(look: Any, kind: str) -> None:
    found = look(kind, row=6, n=5)
    assert not found.fired
    assert "30 are needed" in found.why


def test_texts_of_other_words_lie_elsewhere(tmp_path: Path) -> None:
    text = Part(kind="text", options={"vocab": 300, "length": 32})
    data = made.dataset(tmp_path / "data", text)
    assert isinstance(data.makes, Tokens)
    train, test = (frequencies(split, data.makes) for split in (data.train, data.test))
    assert np.allclose((train**2).sum(axis=1), 1, atol=1e-5)
    other = np.roll(test, 7, axis=1)
    assert centre_distance(other, train) > 2 * centre_distance(test, train)


def test_age_counts_from_the_last_training(look: Any) -> None:
    assert not look("age", days=29).fired
    assert look("age", days=31).fired
    assert look("age", days=1, limit="12h").fired
