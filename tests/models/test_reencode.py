"""A champion of older data is measured on the new items, with its own tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from genwright.core.record import Part
from genwright.core.workspace import Settings, Workspace
from genwright.data.clean import clean
from genwright.data.collect import collect
from genwright.data.dataset import Dataset
from genwright.data.modalities.base import build, decode, modalities
from genwright.evaluation.evaluate import evaluate, evaluation_set
from genwright.models import bundle
from genwright.models.architectures.base import build_model
from genwright.models.reencode import Incomparable, reread
from genwright.recipes.recipe import Recipe, parse
from genwright.recipes.stages import cleaning, collecting
from tests import made

CONTENT = {"kind": "text", "vocab": 300, "length": 32}


def cleaned(root: Path, name: str, files: list[bytes]) -> tuple[Recipe, Dataset]:
    """A recipe over a folder of those files, and its cleaned data."""
    source = root / f"{name}-files"
    source.mkdir(parents=True)
    for place, data in enumerate(files):
        (source / f"{place:04d}.txt").write_bytes(data)
    recipe = parse(
        {
            "name": name,
            "content": CONTENT,
            "sources": [{"kind": "folder", "path": str(source)}],
            "split": {"validation": 0.3, "test": 0.3},
            "samples": 8,
        }
    )
    collect(collecting(recipe, Workspace(root)), Workspace(root), root / f"{name}-raw")
    clean(cleaning(recipe), root / f"{name}-raw", root / f"{name}-clean")
    return recipe, Dataset(root / f"{name}-clean")


def model_of(data: Dataset, folder: Path) -> Path:
    plan = made.plan(data, "gpt")
    torch.manual_seed(0)
    model = build_model("gpt", plan.candidate.config, data.contents.content, None)
    bundle.save(folder, model, data, plan=plan, data="d")
    return folder


def test_a_model_reads_other_items_with_its_own_tokenizer(tmp_path: Path, settings: Settings) -> None:
    weather = modalities.get("text").fixture(60)
    things = ("glass", "lamp", "chair", "vase", "clock", "bowl", "mirror", "desk")
    sent = [(name, thing) for name in ("Ada", "Ben", "Cleo", "Dan", "Eve") for thing in things]
    letters = [f"Dear {who}, the {what} you sent on day {day} came whole.".encode() for day, (who, what) in enumerate(sent)]
    _, old = cleaned(tmp_path, "old", letters)
    recipe, new = cleaned(tmp_path, "new", weather)
    model = model_of(old, tmp_path / "model")
    with reread(model, new, tmp_path) as data:
        assert data.test.digests.tolist() == new.test.digests.tolist()
        assert data.contents.content == old.contents.content
        tokenizer = build(old.contents.content_part, old.folder / "content")
        rows = [torch.from_numpy(data.test.content.tokens(i))[None] for i in range(len(data.test))]
        texts = {decode(tokenizer, row)[0].encode() for row in rows}
        assert texts <= set(weather)
        assert len(texts) == len(new.test)
        score = evaluate(model, data, recipe.evaluation, settings)
        assert score.evaluation_set == evaluation_set(new, recipe.evaluation)
    assert not list(tmp_path.glob(".reread-*"))


def test_a_model_of_the_same_data_reads_it_as_it_is(tmp_path: Path) -> None:
    data = made.pictures(tmp_path / "data")
    from tests import registered

    with reread(registered.bundle(0), data, tmp_path) as same:
        assert same is data


def test_pictures_of_another_size_do_not_compare(tmp_path: Path) -> None:
    data = made.dataset(tmp_path / "data", Part(kind="image", options={"size": [6, 6], "channels": 1}), Part(kind="label"))
    from tests import registered

    with pytest.raises(Incomparable), reread(registered.bundle(0), data, tmp_path):
        pass
