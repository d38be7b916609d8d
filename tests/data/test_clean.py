"""Cleaning: counts reconcile, nothing leaks, items stay where they are, equal inputs give equal bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

from genwright.core.errors import DataError, RecipeError
from genwright.core.folder_hash import tree
from genwright.core.record import Part
from genwright.data import shards
from genwright.data.clean import CleanSpec, clean
from genwright.data.dataset import Dataset
from genwright.data.filters.base import filters
from genwright.data.item import Item
from genwright.data.modalities.base import modalities
from genwright.data.modalities.text import Text
from genwright.data.quarantine import examples, quarantined
from genwright.data.records import DatasetContents
from genwright.data.shards import Shards
from genwright.data.split import Splitting
from genwright.recipes.recipe import parse
from genwright.recipes.stages import cleaning

SPLIT = Splitting(validation=0.2, test=0.2)
IMAGE = Part(kind="image", options={"size": [8, 8], "channels": 1})
TEXT = Part(kind="text", options={"vocab": 300, "length": 32})


def item(data: bytes, name: str = "a", condition: bytes | None = None) -> Item:
    columns = {"content": data} if condition is None else {"content": data, "condition": condition}
    return Item(name, columns, source="made", licence="CC0-1.0", collected_at="2026-01-01T00:00:00+00:00")


def raw(folder: Path, items: list[Item]) -> Path:
    folder.mkdir(parents=True)
    with Shards(folder, "items", shards.schema(["content", "condition"])) as out:
        for one in items:
            out.add(shards.row(one))
    return folder


def spec(content: Part = IMAGE, condition: Part | None = None, cleaning: list[str] | None = None) -> CleanSpec:
    rules = [Part(kind=name) for name in cleaning or []]
    columns = {"content": content} | ({"condition": condition} if condition else {})
    optional = ["condition"] if condition and condition.kind == "label" else []
    return CleanSpec(recipe="made", columns=columns, optional=optional, cleaning=rules, split=SPLIT)


def fixtures(kind: str = "image", n: int = 80, seed: int = 0) -> list[Item]:
    return [item(data, f"{place}.png") for place, data in enumerate(modalities.get(kind).fixture(n, seed))]


def cleaned(tmp_path: Path, items: list[Item], name: str = "out", **given: Any) -> tuple[DatasetContents, Path]:
    out = tmp_path / name
    return clean(spec(**given), raw(tmp_path / f"{name}-raw", items), out), out


def sides(folder: Path) -> dict[str, str]:
    return {row["digest"]: row["side"] for row in shards.read(folder, "items", ["digest", "side"])}


def reencoded(data: bytes) -> bytes:
    out = io.BytesIO()
    Pictures.open(io.BytesIO(data)).save(out, format="BMP")
    return out.getvalue()


def test_counts_reconcile_and_quarantine_keeps_bytes_and_reasons(tmp_path: Path) -> None:
    good = fixtures()
    huge = io.BytesIO()
    Pictures.new("1", (9000, 9000)).save(huge, format="PNG")
    bad = [
        item(good[0].data[:60], "cut.png"),
        item(b"\xff\xd8\xff not a jpeg", "lies.png"),
        item(b"", "empty.png"),
        item(huge.getvalue(), "bomb.png"),
        item(good[1].data, "again.png"),
    ]
    contents, out = cleaned(tmp_path, good + bad, cleaning=["corrupt", "exact_duplicates"])
    assert contents.collected == 85 == sum(contents.splits.values()) + sum(contents.dropped.values())
    assert contents.dropped == {"corrupt": 4, "exact_duplicates": 1}
    found = {one.name: one for one in quarantined(out)}
    assert set(found) == {"cut.png", "lies.png", "empty.png", "bomb.png", "again.png"}
    assert "pixels" in found["bomb.png"].reason
    kept_bytes = {row["name"]: row["column.content"] for row in shards.read(out, "quarantine")}
    assert kept_bytes == {one.name: one.data for one in bad}
    assert len(examples(out, each=2)["corrupt"]) == 2


def test_the_data_set_opens_and_holds_what_was_collected(tmp_path: Path) -> None:
    items = fixtures()
    contents, out = cleaned(tmp_path, items)
    data = Dataset(out)
    by_digest = {one.digest: one for one in items}
    for side in ("train", "validation", "test"):
        split = data.side(side)
        assert len(split) == contents.splits[side]
        for place, digest in enumerate(split.digests[:, 0]):
            one = by_digest[digest.decode()]
            assert SPLIT.side(one.digest) == side
            assert split.bytes[place] == len(one.data)
    assert data.train.batch(4, 0, 0).content.shape == (4, 1, 8, 8)
    assert contents.bytes["test"] == int(data.test.bytes.sum())
    assert contents.licences == {"CC0-1.0": 80}


def test_texts_are_kept_whole_token_by_token(tmp_path: Path) -> None:
    from genwright.data.modalities.base import build

    items = fixtures("text")
    contents, out = cleaned(tmp_path, items, content=TEXT)
    data, modality = Dataset(out), build(TEXT, out / "columns" / "content")
    by_digest = {one.digest.encode(): one.data for one in items}
    for side in ("train", "validation", "test"):
        split = data.side(side)
        assert split.texts is not None
        texts = [modality.decode(split.texts.tokens(i)).encode() for i in range(len(split))]
        assert texts == [by_digest[digest] for digest in split.digests[:, 0]]
    assert contents.kind.tokens is not None
    assert contents.kind.tokens["train"] == len(np.load(out / "train.content.npy"))


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    for content, kind in ((IMAGE, "image"), (TEXT, "text")):
        folders = [cleaned(tmp_path, fixtures(kind), f"{kind}{i}", content=content)[1] for i in range(2)]
        assert tree(folders[0]) == tree(folders[1])


def test_only_training_items_teach_the_tokenizer(tmp_path: Path) -> None:
    items = fixtures("text", 120)
    train = [one for one in items if SPLIT.side(one.digest) == "train"]
    other = [one for one in fixtures("text", 600, seed=5)[120:] if SPLIT.side(one.digest) != "train"]
    learned = []
    for name, more in (("a", items), ("b", train + other)):
        _, out = cleaned(tmp_path, more, name, content=TEXT)
        learned.append((out / "columns" / "content" / "tokenizer.json").read_bytes())
    assert learned[0] == learned[1]


def test_an_item_never_moves_when_data_grows(tmp_path: Path) -> None:
    _, small = cleaned(tmp_path, fixtures(n=80), "small", cleaning=["near_duplicates"])
    _, large = cleaned(tmp_path, fixtures(n=80) + fixtures(n=200, seed=1)[80:], "large", cleaning=["near_duplicates"])
    before, after = sides(small), sides(large)
    assert len(after) > len(before)
    assert all(after[digest] == side for digest, side in before.items() if digest in after)
    held_out = [digest for digest, side in before.items() if side != "train"]
    assert len([digest for digest in held_out if digest in after]) >= len(held_out) - 1


@pytest.mark.parametrize("rules", [[], ["exact_duplicates"]])
def test_the_same_content_is_never_on_two_sides(tmp_path: Path, rules: list[str]) -> None:
    """Re-encoded files have other hashes, so the split alone would put many of them on another side."""
    originals = fixtures()
    copies = [item(reencoded(one.data), f"copy-{one.name}") for one in originals]
    assert any(SPLIT.side(a.digest) != SPLIT.side(b.digest) for a, b in zip(originals, copies, strict=True))
    contents, out = cleaned(tmp_path, originals + copies, cleaning=rules)
    data = Dataset(out)
    pictures = [{row.tobytes() for row in data.side(side).columns["content"].array} for side in ("train", "validation", "test")]
    assert not pictures[0] & pictures[1]
    assert not pictures[0] & pictures[2]
    assert not pictures[1] & pictures[2]
    assert set(contents.dropped) == ({"exact_duplicates"} if rules else {"leak"})


def test_near_duplicates_stay_on_one_side_and_the_training_item_goes(tmp_path: Path) -> None:
    words = [[f"w{(i * 31 + j * j * 7) % 5000}" for j in range(200)] for i in range(60)]
    texts = [" ".join(w) for w in words]
    near = [" ".join([*w[:100], "changed", *w[101:]]) for w in words]
    items = [item(t.encode(), f"{i}.txt") for i, t in enumerate(texts + near)]
    contents, out = cleaned(tmp_path, items, content=TEXT, cleaning=["near_duplicates"])
    kept = {row["name"]: row["side"] for row in shards.read(out, "items", ["name", "side"])}
    assert contents.dropped == {"near_duplicates": 60}
    rank = {"test": 0, "validation": 1, "train": 2}
    for place in range(60):
        pair = [items[place], items[place + 60]]
        (survivor,) = [one for one in pair if one.name in kept]
        (gone,) = [one for one in pair if one.name not in kept]
        assert rank[SPLIT.side(survivor.digest)] <= rank[SPLIT.side(gone.digest)]


def test_labels_missing_unreadable_or_unknown_are_no_label(tmp_path: Path) -> None:
    plain = fixtures()
    labels: list[bytes | None] = [b"cat", b"dog", None, b"\xff\xfe"]
    items = [item(one.data, one.name, labels[place % 4]) for place, one in enumerate(plain)]
    rare = next(place for place, one in enumerate(plain) if SPLIT.side(one.digest) == "test")
    items[rare] = item(plain[rare].data, plain[rare].name, b"only in test")
    contents, out = cleaned(tmp_path, items, condition=Part(kind="label"))
    told = contents.columns["condition"]
    assert told.labels == ["cat", "dog"]
    assert told.label_counts is not None
    assert told.missing == 80 - sum(told.label_counts.values())
    assert contents.dropped == {}
    given = Dataset(out).train.given(np.arange(contents.splits["train"]))["condition"]
    assert given.present.any()
    assert not given.present.all()
    assert set(given.value[given.present].tolist()) == {0, 1}


def test_a_text_to_answer_cannot_be_missing(tmp_path: Path) -> None:
    answers = fixtures("text", 120)
    questions: list[bytes | None] = [None, b"\xff", b"  ", *[b"why?"] * 117]
    items = [item(one.data, one.name, q) for one, q in zip(answers, questions, strict=True)]
    contents, out = cleaned(tmp_path, items, content=TEXT, condition=TEXT)
    assert contents.dropped == {"condition": 3}
    reasons = sorted(one.reason for one in quarantined(out))
    assert any(reason == "the item lacks it" for reason in reasons)
    assert any("empty" in reason for reason in reasons)
    assert Dataset(out).train.batch(3, 0, 0).given["condition"].value.shape == (3, 32)


def test_one_text_with_two_translations_is_two_items(tmp_path: Path) -> None:
    """And both are one where the translation is the same as well; what is alike is never on two sides."""
    items = [item(one.data, one.name, b"first") for one in fixtures("text", 80)]
    again = [item(one.data, f"again-{one.name}", b"second") for one in items[:10]]
    twice = [item(one.data, f"twice-{one.name}", b"first") for one in items[:10]]
    contents, out = cleaned(tmp_path, items + again + twice, content=TEXT, condition=TEXT, cleaning=["exact_duplicates"])
    assert contents.dropped == {"exact_duplicates": 10}
    kept = {row["name"]: row["side"] for row in shards.read(out, "items", ["name", "side"])}
    assert all(kept[f"again-{one.name}"] == kept[one.name] for one in items[:10])


def test_every_column_has_its_hash(tmp_path: Path) -> None:
    items = [item(one.data, one.name, f"caption {place}".encode()) for place, one in enumerate(fixtures())]
    _, out = cleaned(tmp_path, items, condition=TEXT)
    data = Dataset(out)
    found = {tuple(row) for side in ("train", "validation", "test") for row in data.side(side).digests.tolist()}
    assert found == {tuple(digest.encode() for digest in one.digests.values()) for one in items}


def test_too_little_data_says_how_much_is_left_and_why(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "before").mkdir(parents=True)
    with pytest.raises(DataError) as error:
        clean(spec(cleaning=["exact_duplicates"]), raw(tmp_path / "raw", fixtures(n=4) + [item(b"no", "no.png")] * 3), out)
    text = str(error.value)
    assert "of 7 collected" in text
    assert "3 dropped by corrupt, e.g. no.png" in text
    assert "at least" in text
    assert list(out.parent.glob("out/*")) == [out / "before"]  # what was there stays


def test_nothing_collected_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no collected items"):
        clean(spec(), tmp_path / "nothing", tmp_path / "out")


def test_a_rule_that_does_not_suit_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = parse({"name": "a", "content": "image", "sources": [{"kind": "sklearn"}], "cleaning": ["quality"]})
    assert cleaning(recipe).cleaning
    monkeypatch.setattr(filters.get("quality"), "applies", lambda modality: "judges music")
    with pytest.raises(RecipeError, match="does not suit image: it judges music"):
        cleaning(recipe)


def test_a_tokenizer_learns_from_a_sample_of_much_text_and_all_of_it_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = Text.fit
    monkeypatch.setattr(Text, "fit", lambda self, values: (kept := list(values), seen.append(len(kept)), real(self, kept)))
    texts = [f"text {n}: {'all different ' * 20}{n}" for n in range(400)]
    for place, enough in enumerate((None, 40_000)):
        monkeypatch.setattr(Text, "learns_from", enough)
        raw, out = tmp_path / f"raw{place}", tmp_path / f"out{place}"
        raw.mkdir()
        with Shards(raw, "items", shards.schema({"content": TEXT})) as written:
            for n, text in enumerate(texts):
                written.add(shards.row(item(text.encode(), f"{n}")))
        spec = CleanSpec(recipe="r", columns={"content": TEXT}, cleaning=[], split=SPLIT)
        contents = clean(spec, raw, out)
        assert sum(contents.splits.values()) == 400
    assert seen[0] == contents.splits["train"]
    assert seen[0] / 6 < seen[1] < seen[0] / 2  # about 116,000 bytes, of which 40,000 are enough
