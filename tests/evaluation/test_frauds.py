"""No fraud passes: each measure ranks real items above what it claims to see, and the recipe that is written for some data
refuses whatever is no achievement. A measure is tried by being there."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genwright.core.workspace import Workspace
from genwright.data.dataset import Dataset
from genwright.evaluation import frauds
from genwright.evaluation.metrics.base import metrics
from genwright.recipes.recipe import Recipe, parse
from trials.frauds import Verdict, cleaned, proposed, tried

LARGER = pytest.param("larger digits", marks=pytest.mark.long)
KINDS = ("digits", "unlabelled digits", LARGER, "code", "labelled code", "answers")
Tried = tuple[Recipe, Dataset, dict[str, Verdict]]


def digits(folder: Path, *, labelled: bool, size: int = 8) -> Path:
    from sklearn.datasets import load_digits

    found = load_digits()
    for place, (picture, label) in enumerate(zip(found.images, found.target, strict=True)):
        path = folder / (str(label) if labelled else "") / f"{place:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 15.9).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC).save(path)
    return folder


def code(folder: Path, *packages: str) -> Path:
    """Modules of the running interpreter's library: those outside of packages, or a folder for each package."""
    for package in packages or ("",):
        (folder / package).mkdir(parents=True)
        modules = sorted((Path(sysconfig.get_path("stdlib")) / package).glob("*.py"))
        for path in (path for path in modules if path.stat().st_size < 40_000):
            (folder / package / path.name).write_bytes(path.read_bytes())
    return folder


def answers(folder: Path) -> Recipe:
    """A cipher: words, and the same words spelt by other letters."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    words = np.array(["sun", "rain", "wind", "cloud", "storm", "river", "stone", "road", "house", "bird", "field", "snow"])
    for place in range(400):
        text = " ".join(random.choice(words, 8))
        (folder / f"{place:03d}.ask").write_text(f"{text} {place}")
        (folder / f"{place:03d}.txt").write_text(f"{text[::-1].upper()} {place}")
    given = {
        "name": "cipher",
        "content": {"kind": "text", "vocab": 300, "length": 64},
        "condition": {"kind": "text", "vocab": 300, "length": 64},
        "sources": [{"kind": "folder", "path": str(folder), "captions": ".ask"}],
        "accept": {"chrf": {"skill": 0.1}, "fluency": {"skill": 0.65}},
    }
    return parse(given)


def held_out(recipe: Recipe) -> Recipe:
    """The same with as many held-out items as a Frechet distance asks for."""
    return parse(
        {**recipe.model_dump(mode="json", exclude_unset=True), "split": {"validation": 0.3, "test": 0.3}, "samples": 520}
    )


@pytest.fixture(scope="module", params=KINDS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    place = tmp_path_factory.mktemp("frauds")
    folder = place / "files"
    if request.param == "answers":
        recipe = answers(folder)
    elif request.param == "code":
        recipe = proposed(code(folder))
    elif request.param == "larger digits":  # large enough for an extractor to look at
        recipe = held_out(proposed(digits(folder, labelled=True, size=16)))
    elif request.param == "labelled code":
        recipe = proposed(code(folder, "asyncio", "email", "encodings"))
    else:
        recipe = proposed(digits(folder, labelled=request.param == "digits"))
    dataset = cleaned(recipe, Workspace(place))
    makes = dataset.makes
    other = torch.rand(64, *makes.dims).round() * 2 - 1 if makes.kind == "signal" else None
    return recipe, dataset, dict(tried(recipe, dataset, other))


def test_claims_are_of_frauds_that_there_are() -> None:
    there = {*frauds.pictures(), *frauds.sequences(), *frauds.answers()}
    for name, metric in metrics.all().items():
        assert there.issuperset(metric.sees), name


def test_every_measure_finds_real_items_better_than_each_fraud_it_claims_to_see(bench: Tried) -> None:
    _, _, verdicts = bench
    real = verdicts[frauds.REAL].measures
    assert len(real) >= 3
    for fraud, verdict in verdicts.items():
        for name, measured in verdict.measures.items():
            metric = metrics.get(name)
            if fraud in metric.sees:
                sign = 1 if metric.better == "higher" else -1
                assert sign * real[name].value > sign * measured.value, f"{name} finds {fraud} no worse than real items"


def test_no_fraud_passes_the_gates_that_new_writes_and_real_items_do(bench: Tried) -> None:
    recipe, _, verdicts = bench
    assert recipe.accept
    assert verdicts[frauds.REAL].refused_by == []
    assert len(verdicts) > 6
    assert [fraud for fraud, verdict in verdicts.items() if not verdict.refused_by] == [frauds.REAL]


def test_naive_imitations_are_worse_than_real_items(bench: Tried) -> None:
    """Or no skill could be told."""
    _, _, verdicts = bench
    for name, measured in verdicts[frauds.REAL].measures.items():
        if metrics.get(name).compared:
            assert measured.skill is not None, name
            assert measured.skill > 0.5, f"{name}: real items have a skill of {measured.skill:.2f}"
