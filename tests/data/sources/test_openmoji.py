"""OpenMoji as a source, from a tiny package of the same build in the cache."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genwright.core import stored
from genwright.core.errors import DataError
from genwright.data.fetch.packages import Fetched
from genwright.data.sources.openmoji import Openmoji, OpenmojiOptions

BLANK = '<svg viewBox="0 0 72 72" xmlns="http://www.w3.org/2000/svg"></svg>'
RED = BLANK.replace("></svg>", '><rect x="18" y="18" width="36" height="36" fill="#ff0000"/></svg>')
LINE = BLANK.replace("></svg>", '><rect x="18" y="18" width="36" height="36" fill="none" stroke="#000"/></svg>')
SECRET = BLANK.replace("></svg>", '><image href="{}" width="72" height="72"/></svg>')


def entry(code: str, name: str, **more: object) -> dict[str, object]:
    usual: dict[str, object] = {"group": "food-drink", "tags": "fruit, sweet", "skintone": "", "openmoji_date": "2018-04-18"}
    return {"hexcode": code, "annotation": name, **usual, **more}


class Tiny:
    """A package `openmoji` 1.0.0 in a cache."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.files = base / "packages/npm/openmoji/1.0.0/files/package"
        for folder in ("data", "color/svg", "black/svg"):
            (self.files / folder).mkdir(parents=True)
        fetched = Fetched(version="1.0.0", file="openmoji-1.0.0.tgz", sha256="0" * 64, skipped={})
        stored.write(self.files.parents[1] / "fetched.json", fetched)
        self.entries: list[dict[str, object]] = []

    def add(self, entry: dict[str, object], color: str | None = RED, black: str | None = LINE) -> None:
        self.entries.append(entry)
        for style, svg in (("color", color), ("black", black)):
            if svg is not None:
                (self.files / style / "svg" / f"{entry['hexcode']}.svg").write_text(svg)
        (self.files / "data/openmoji.json").write_text(json.dumps(self.entries))

    def source(self, **options: object) -> Openmoji:
        given = {"version": "1.0.0", "size": 16, **options}
        return Openmoji(OpenmojiOptions.model_validate(given), base=self.base, cache=self.base, suffixes=frozenset())


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    made = Tiny(tmp_path)
    made.add(entry("1F34E", "Red Apple"))
    made.add(entry("1F44B-1F3FB", "waving hand: light skin tone", skintone=1))
    made.add(entry("1F1E6-1F1E8", "flag: Ascension Island", group="flags"))
    made.add(entry("1F9CA", "ice", tags=""), black=BLANK)
    return made


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as file:
        return np.asarray(file.convert("RGB"))


def test_an_emoji_is_a_picture_on_white_with_its_name_group_and_outline(tiny: Tiny) -> None:
    source = tiny.source()
    apple, ice = source.items()
    assert list(apple.columns) == ["content", "caption", "label", "sketch"]
    assert (apple.columns["caption"], apple.columns["label"]) == (b"red apple", b"food-drink")
    assert (apple.source, apple.licence) == ("npm:openmoji==1.0.0", "CC-BY-SA-4.0")
    assert apple.collected_at == "2018-04-18T00:00:00+00:00"
    picture, sketch = pixels(apple.columns["content"]), pixels(apple.columns["sketch"])
    assert picture.shape == (16, 16, 3)
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[8, 8].tolist() == [255, 0, 0]
    assert sketch[8, 8].tolist() == [255, 255, 255]
    assert sketch.min() < 230
    assert list(ice.columns) == ["content", "caption", "label"]
    assert source.skipped == {
        "1F44B-1F3FB": "a variant in one skin tone (`skin_tones`)",
        "1F1E6-1F1E8": "a flag (`flags`)",
        "1F9CA (black)": "its black drawing cannot be rendered: it is blank",
    }


def test_options_bring_flags_skin_tones_and_tags(tiny: Tiny) -> None:
    items = {item.name: item for item in tiny.source(flags=True, skin_tones=True, tags=True).items()}
    assert list(items) == ["1F34E.png", "1F44B-1F3FB.png", "1F1E6-1F1E8.png", "1F9CA.png"]
    assert "sketch" not in items["1F1E6-1F1E8.png"].columns
    assert items["1F34E.png"].columns["caption"] == b"red apple, fruit, sweet"
    assert items["1F9CA.png"].columns["caption"] == b"ice"


def test_the_state_follows_the_options_and_the_items_stay(tiny: Tiny) -> None:
    assert tiny.source().state() == tiny.source().state()
    assert len({tiny.source(**o).state() for o in ({}, {"size": 32}, {"tags": True}, {"flags": True})}) == 4
    assert list(tiny.source().items()) == list(tiny.source().items())


@pytest.mark.parametrize(
    ("svg", "reason"),
    [
        (None, "there is no color drawing"),
        ("not a drawing", "cannot be rendered"),
        (BLANK, "it is blank"),
        (RED.replace("0 0 72 72", "0 0 72 36"), "it is not square"),
        ("<!DOCTYPE svg [<!ENTITY a 'b'>]>" + RED, "refers to something outside"),
        (RED + " " * 2**20, "larger than 1 MiB"),
    ],
)
def test_a_drawing_that_is_none_is_left_out_with_the_reason(tiny: Tiny, svg: str | None, reason: str) -> None:
    tiny.add(entry("1F40D", "snake"), color=svg)
    source = tiny.source()
    assert "1F40D.png" not in [item.name for item in source.items()]
    assert reason in source.skipped["1F40D"]


def test_a_drawing_cannot_show_files_of_this_machine(tiny: Tiny, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "private.png")
    tiny.add(entry("1F40D", "snake"), color=SECRET.format(tmp_path / "private.png"))
    (tmp_path / "outside.svg").write_text(RED)
    (tiny.files / "color/svg/1F40E.svg").symlink_to(tmp_path / "outside.svg")
    tiny.add(entry("1F40E", "horse"), color=None)
    tiny.add(entry("../../../../../../../outside", "path"), color=None, black=None)
    source = tiny.source()
    assert [item.name for item in source.items()] == ["1F34E.png", "1F9CA.png"]
    assert {"1F40D", "1F40E", "../../../../../../../outside"} <= set(source.skipped)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"hexcode": "1F34E"}]', "[" * 100_000, '["\\ud800"]'])
def test_an_index_that_is_none_is_an_error(tiny: Tiny, text: str) -> None:
    (tiny.files / "data/openmoji.json").write_text(text)
    with pytest.raises(DataError, match=r"data/openmoji\.json"):
        list(tiny.source().items())
