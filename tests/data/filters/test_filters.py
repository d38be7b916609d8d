"""Cleaning rules, one by one, on items made for them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image as Pictures

from genwright.core.record import Part
from genwright.data.filters.base import Entry, Filter, filters
from genwright.data.item import Item
from genwright.data.modalities.base import Modality, build
from genwright.data.records import Side

GREY = build(Part(kind="image", options={"size": [32, 32], "channels": 1}))
TEXT = build(Part(kind="text"))


def rule(name: str, **options: Any) -> Filter:
    kind = filters.get(name)
    return kind(kind.Options.model_validate(options))


def entry(
    data: bytes, modality: Modality = TEXT, name: str = "a.txt", label: bytes = b"", *, asked: bytes = b"", side: Side = "train"
) -> Entry:
    columns = {"content": data} | ({"asked": asked} if asked else {})
    item = Item(name=name, columns=columns, source="made", licence="none", collected_at="")
    return Entry(item, side, modality, label, ("asked",))


def png(levels: Any, format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Pictures.fromarray(np.asarray(levels, dtype=np.uint8)).save(out, format=format, **options)
    return out.getvalue()


def scene(seed: int, size: int = 64) -> Any:
    """A smooth made picture with some large forms."""
    random = np.random.default_rng(seed)
    small = Pictures.fromarray(random.integers(0, 256, (6, 6), dtype=np.uint8))
    return np.asarray(small.resize((size, size), Pictures.Resampling.BICUBIC))


def test_a_scaled_reencoded_or_darkened_picture_is_a_near_duplicate_and_another_is_not() -> None:
    near = rule("near_duplicates")
    original = scene(1)
    assert near.reason(entry(png(original), GREY, "first.png")) is None
    half = Pictures.fromarray(original).resize((32, 32), Pictures.Resampling.BICUBIC)
    for copy in (png(half), png(original, "JPEG", quality=60), png(original * 0.8)):
        assert near.reason(entry(copy, GREY)) == "nearly the same as first.png"
    for seed in range(2, 40):
        assert near.reason(entry(png(scene(seed)), GREY)) is None


def test_handwritten_digits_are_not_near_duplicates_of_each_other() -> None:
    from sklearn.datasets import load_digits

    near = rule("near_duplicates")
    for picture in load_digits().images[::2]:
        assert near.reason(entry(png(picture * 15), GREY)) is None


def test_two_of_different_labels_are_different_things_and_one_without_may_be_either() -> None:
    near, picture = rule("near_duplicates"), png(scene(0))
    assert near.reason(entry(picture, GREY, "o.png", b"O")) is None
    assert near.reason(entry(picture, GREY, "zero.png", b"0")) is None
    assert near.reason(entry(picture, GREY, "another.png", b"0")) == "nearly the same as zero.png"
    assert near.reason(entry(picture, GREY, "nameless.png")) == "nearly the same as o.png"
    other = png(scene(1))
    assert near.reason(entry(other, GREY, "first.png")) is None
    assert near.reason(entry(other, GREY, "labelled.png", b"O")) == "nearly the same as first.png"


def test_what_is_asked_tells_items_apart_on_one_side_of_the_split_alone() -> None:
    near, picture = rule("near_duplicates"), png(scene(0))
    darker = png(scene(0) * 0.9)
    assert near.reason(entry(picture, GREY, "first.png", asked=b"a hill in the evening")) is None
    assert near.reason(entry(darker, GREY, "second.png", asked=b"nothing but fog")) is None
    assert near.reason(entry(darker, GREY, "third.png", asked=b"a hill in the evening")) == "nearly the same as first.png"
    assert near.reason(entry(darker, GREY, "mute.png")) == "nearly the same as first.png"
    assert near.reason(entry(darker, GREY, "held.png", asked=b"a third one", side="test")) == "nearly the same as first.png"
    long = b" ".join(b"word%d" % n for n in range(60))
    assert near.reason(entry(darker, GREY, "long.png", asked=long)) is None
    assert near.reason(entry(darker, GREY, "same.png", asked=long + b" more")) == "nearly the same as long.png"
    bytes_of_another = (png(scene(1)), png(scene(2)))
    assert near.reason(entry(png(scene(3)), GREY, "drawn.png", asked=bytes_of_another[0])) is None
    assert near.reason(entry(png(scene(3)), GREY, "redrawn.png", asked=bytes_of_another[1])) is None
    assert near.reason(entry(png(scene(3)), GREY, "again.png", asked=bytes_of_another[0])) == "nearly the same as drawn.png"


def test_an_edited_text_is_a_near_duplicate_and_another_is_not() -> None:
    near = rule("near_duplicates")
    words = [f"word{i * 7919 % 997}" for i in range(300)]
    assert near.reason(entry(" ".join(words).encode(), name="first.txt")) is None
    edited = [*words[:150], "inserted", *words[151:]]
    assert near.reason(entry(" ".join(edited).encode())) == "nearly the same as first.txt"
    assert near.reason(entry(" ".join(reversed(words)).encode())) is None


def test_an_item_that_a_person_wants_back_stays() -> None:
    near = rule("near_duplicates", keep=["second.txt"])
    text = " ".join(f"word{i * 7919 % 997}" for i in range(300))
    assert near.reason(entry(text.encode(), name="first.txt")) is None
    assert near.reason(entry(f"{text} more".encode(), name="second.txt")) is None
    assert near.reason(entry(f"{text} and more".encode(), name="third.txt")) == "nearly the same as first.txt"


def test_short_texts_that_differ_are_kept() -> None:
    near = rule("near_duplicates")
    for number in range(200):
        assert near.reason(entry(f"line {number}".encode())) is None
    assert near.reason(entry(b"line   7")) == "nearly the same as a.txt"


def test_equal_content_in_other_files_is_an_exact_duplicate() -> None:
    exact = rule("exact_duplicates")
    assert exact.reason(entry(b"one\ntwo")) is None
    assert exact.reason(entry(b"one\r\ntwo")) is not None
    assert exact.reason(entry(b"one two")) is None
    assert exact.reason(entry(png(scene(1)), GREY)) is None
    assert exact.reason(entry(png(scene(1), "BMP"), GREY)) is not None


def test_a_wrong_ending_is_found() -> None:
    corrupt = rule("corrupt")
    assert corrupt.reason(entry(png(scene(1)), GREY, "a.png")) is None
    assert corrupt.reason(entry(png(scene(1), "JPEG"), GREY, "a.PNG")) == ".png says PNG, the file is JPEG"
    assert corrupt.reason(entry(b"PK\x03\x04rest", TEXT, "a.txt")) == "a ZIP file, though its name ends in .txt"
    assert corrupt.reason(entry(b"BM is how this text begins", TEXT, "a.txt")) is None


def test_size_bounds() -> None:
    assert rule("size", min_bytes=5).reason(entry(b"four")) == "4 bytes, fewer than 5"
    assert rule("size", max_bytes=5).reason(entry(b"longer")) == "6 bytes, more than 5"
    assert "shorter side less than 65" in str(rule("size", min_side=65).reason(entry(png(scene(1)), GREY)))
    assert "longer side more than 63" in str(rule("size", max_side=63).reason(entry(png(scene(1)), GREY)))
    assert rule("size", min_side=64, max_side=64, max_bytes=10_000).reason(entry(png(scene(1)), GREY)) is None


def test_quality() -> None:
    quality = rule("quality")
    assert "printable" in str(quality.reason(entry(b"\x01\x02\x03 ok")))
    assert "stood there before" in str(quality.reason(entry(b"buy now\n" * 30)))
    assert quality.reason(entry("\n".join(f"line {i}" for i in range(30)).encode())) is None
    assert "blank" in str(quality.reason(entry(png(np.full((8, 8), 77)), GREY)))
    assert quality.reason(entry(png(scene(1)), GREY)) is None


def test_rules_that_do_not_suit_say_so() -> None:
    label = build(Part(kind="label"))
    assert filters.get("near_duplicates").applies(TEXT) is None
    assert filters.get("exact_duplicates").applies(label) is None
