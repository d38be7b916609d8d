"""A champion of older data is measured on the new items, with its own tokenizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from genwright.core.record import Part
from genwright.core.workspace import Settings, Workspace
from genwright.data.clean import clean
from genwright.data.collect import collect
from genwright.data.dataset import Dataset
from genwright.data.feed import Side
from genwright.data.modalities.base import modalities
from genwright.data.view import View, Wanted
from genwright.evaluation.evaluate import evaluate, evaluation_set
from genwright.evaluation.records import EvaluationSpec
from genwright.models import bundle
from genwright.models.architectures.base import build_model
from genwright.models.reencode import Incomparable, incomparable, reread
from genwright.recipes.recipe import parse
from genwright.recipes.stages import cleaning, collecting
from tests import made

CONTENT = {"kind": "text", "vocab": 300, "length": 32}
IMAGE = Part(kind="image", options={"size": [8, 8], "channels": 1})
SPEC = EvaluationSpec(samples=8)


def cleaned(root: Path, name: str, files: list[bytes]) -> Dataset:
    """The cleaned data of a recipe over a folder of those files."""
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
        }
    )
    collect(collecting(recipe, Workspace(root)), Workspace(root), root / f"{name}-raw")
    clean(cleaning(recipe), root / f"{name}-raw", root / f"{name}-clean")
    return Dataset(root / f"{name}-clean")


def model_of(data: Dataset, folder: Path, family: str = "gpt") -> Path:
    plan = made.plan(data, family)
    torch.manual_seed(0)
    model = build_model(family, plan.candidate.config, data.signature)
    bundle.save(folder, model, data, plan=plan, data="d")
    return folder


def test_a_model_reads_other_items_with_its_own_tokenizer(tmp_path: Path, settings: Settings) -> None:
    weather = modalities.get("text").fixture(60)
    things = ("glass", "lamp", "chair", "vase", "clock", "bowl", "mirror", "desk")
    sent = [(name, thing) for name in ("Ada", "Ben", "Cleo", "Dan", "Eve") for thing in things]
    letters = [f"Dear {who}, the {what} you sent on day {day} came whole.".encode() for day, (who, what) in enumerate(sent)]
    old = cleaned(tmp_path, "old", letters)
    new = cleaned(tmp_path, "new", weather)
    model = model_of(old, tmp_path / "model")
    with reread(model, new, tmp_path) as data:
        assert data.test.digests.tolist() == new.test.digests.tolist()
        assert data.contents.kind.shape == old.contents.kind.shape
        tokenizer, column = old.modalities["content"], data.test.texts
        assert column is not None
        texts = {tokenizer.decode(column.tokens(i)).encode() for i in range(len(data.test))}
        assert texts <= set(weather)
        assert len(texts) == len(new.test)
        score = evaluate(model, data, SPEC, settings)
        assert score.evaluation_set == evaluation_set(new, SPEC)
    assert not list(tmp_path.glob(".reread-*"))


def test_every_column_is_read_as_the_model_reads_it_and_what_is_missing_stays_missing(tmp_path: Path) -> None:
    """The model sees what it saw when it was made, whatever the data set has besides."""
    label, texts = Part(kind="label"), [Part(kind="text", options={"vocab": vocab, "length": 16}) for vocab in (300, 320)]
    made.dataset(tmp_path / "old", IMAGE, caption=texts[0], label=label)
    old = Dataset(tmp_path / "old", View(makes="content", given={"label": Wanted(optional=True)}))
    new = made.dataset(tmp_path / "new", IMAGE, caption=texts[1], label=label, lack={"caption": 3, "label": 4})
    with reread(model_of(old, tmp_path / "model", "vae"), new, tmp_path) as data:
        assert data.signature == old.signature
        assert list(data.test.given(np.arange(4))) == ["label"]
        assert told(data.test, "label", old) == told(new.test, "label", new)
        assert told(data.test, "caption", old) == told(new.test, "caption", new)
        assert None in told(data.test, "caption", old)
        assert data.contents.columns["caption"].missing == new.contents.columns["caption"].missing
        for name in ("caption", "label"):  # though it is written otherwise
            assert not torch.equal(*(side.columns[name].rows(np.arange(8)) for side in (data.test, new.test)))


def told(side: Side, name: str, learned: Dataset) -> list[str | None]:
    """A column of some items as the modality that `learned` has reads it; None for an item that lacks it."""
    column, read = side.columns[name], learned.modalities[name].decode
    present = column.present(np.arange(len(side)))
    values = column.array if column.offsets is None else [column.tokens(i) for i in range(len(side))]
    return [read(value) if there else None for value, there in zip(values, present, strict=True)]


def test_words_are_those_of_the_new_texts(tmp_path: Path) -> None:
    """They do not tell two tokenizers apart, and whoever goes on learning has met them."""
    old = cleaned(tmp_path, "old", [f"report {number}: a red apple".encode() for number in range(60)])
    new = cleaned(tmp_path, "new", [f"report {number}: pears".encode() for number in range(60)])
    model = model_of(old, tmp_path / "model")
    assert old.modalities["content"].doubts("pears")
    with reread(model, new, tmp_path) as data:
        assert data.modalities["content"].doubts("pears") == []
        assert data.modalities["content"].doubts("apple")
    (old.folder / "columns" / "content" / "words.json").write_text('["others"]')
    with reread(model, old, tmp_path) as data:
        assert data.folder == old.folder


def test_labels_that_a_model_does_not_know_are_none_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(made.pictures(tmp_path / "old"), tmp_path / "model", "vae")
    monkeypatch.setattr(made, "KINDS", made.KINDS + 2)
    new = made.pictures(tmp_path / "new")
    assert incomparable(model, new) == "it does not know the label(s) ecru, fawn"
    with reread(model, new, tmp_path) as data:
        rows = np.arange(len(new.test))
        now, then = data.test.given(rows)["condition"], new.test.given(rows)["condition"]
        assert now.present.tolist() == (then.value < made.KINDS - 2).tolist()
        assert torch.equal(now.value[now.present], then.value[now.present])


def test_a_model_of_the_same_data_reads_it_as_it_is(tmp_path: Path) -> None:
    data = made.pictures(tmp_path / "data")
    from tests import registered

    with reread(registered.bundle(0), data, tmp_path) as same:
        assert same.folder == data.folder
        assert same.signature == data.signature


def test_pictures_of_another_size_do_not_compare(tmp_path: Path) -> None:
    smaller = Part(kind="image", options={"size": [6, 6], "channels": 1})
    data = made.dataset(tmp_path / "data", smaller, condition=Part(kind="label"))
    from tests import registered

    with pytest.raises(Incomparable), reread(registered.bundle(0), data, tmp_path):
        pass
