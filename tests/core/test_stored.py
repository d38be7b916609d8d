"""Forms that last: old ones are brought up to date in memory, later ones and damage are told in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genwright import __version__
from genwright.core import stored
from genwright.core.errors import FormatError
from genwright.core.record import fingerprint
from genwright.core.stored import Stored


def named(old: dict[str, Any]) -> dict[str, Any]:
    """From format 1, which knew one name."""
    return {"names": [old["name"]], "weight": old["weight"]}


def in_grams(old: dict[str, Any]) -> dict[str, Any]:
    """From format 2, which weighed in kilograms."""
    return {"names": old["names"], "grams": round(old["weight"] * 1000)}


class Bird(Stored):
    """A form that was changed twice."""

    form = "bird"
    format = 3
    upgrades = (named, in_grams)
    mend = "count the birds again"

    names: list[str]
    grams: int
    seen: float | None = None


class Egg(Stored):
    """Equal eggs have equal bytes, whichever release wrote them."""

    form = "egg"
    signed = False

    colour: str


DAW = Bird(names=["jackdaw", "daw"], grams=240)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def text(**values: Any) -> str:
    return json.dumps(values | {"seal": fingerprint(values)})


def test_what_is_written_is_read_back_and_says_how_and_by_what_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "bird.json"
    stored.write(path, DAW)
    assert stored.read(Bird, path) == DAW
    written = json.loads(path.read_text())
    assert (written["format"], written["genwright"]) == (3, __version__)
    egg = {"format": 1, "colour": "blue"}
    assert json.loads(stored.line(Egg(colour="blue"))) == egg | {"seal": fingerprint(egg)}


def test_what_was_altered_is_not_believed() -> None:
    """A number changed by hand, the seal left as it was or taken away."""
    written = json.loads(stored.line(DAW))
    for altered in (written | {"grams": 24}, {key: value for key, value in written.items() if key != "seal"}):
        with pytest.raises(FormatError, match="seal"):
            stored.parse(Bird, json.dumps(altered), "birds/1.json")
    assert stored.parse(Bird, json.dumps(dict(reversed(written.items())), indent=3), "birds/1.json") == DAW


def test_a_byte_that_is_no_text_makes_it_unreadable_and_nothing_worse(tmp_path: Path) -> None:
    path = tmp_path / "bird.json"
    stored.write(path, DAW)
    path.write_bytes(path.read_bytes().replace(b"jackdaw", b"jack\xffaw"))
    assert stored.readable(Bird, path) is None


@pytest.mark.parametrize("place", range(0, len(stored.line(DAW)), 7))
def test_a_flipped_bit_is_found(place: int) -> None:
    """Unless it makes white space of white space: what is read is what was written, or nothing."""
    damaged = bytearray(stored.line(DAW).encode())
    damaged[place] ^= 1
    try:
        assert stored.parse(Bird, bytes(damaged), "birds/1.json") == DAW
    except FormatError as error:
        assert "birds/1.json" in str(error)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_have_come_back(value: float) -> None:
    line = stored.line(DAW.model_copy(update={"seen": value}))
    json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert repr(stored.parse(Bird, line, "a line").seen) == repr(value)


def test_each_older_format_is_brought_up_to_date_and_the_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bird.json"
    first = text(format=1, genwright="0.0.9", name="wren", weight=0.009)
    path.write_text(first)
    assert stored.read(Bird, path) == Bird(names=["wren"], grams=9)
    assert path.read_text() == first
    second = text(format=2, names=["wren", "jenny"], weight=0.009)
    assert stored.parse(Bird, second, "a line") == Bird(names=["wren", "jenny"], grams=9)


def test_a_later_format_names_the_release_that_wrote_it_and_what_to_do() -> None:
    with pytest.raises(FormatError) as caught:
        stored.parse(Bird, text(format=4, genwright="9.1.0", plumage="grey"), "birds/1.json")
    assert caught.value.what == (
        "birds/1.json (bird) was written by Genwright 9.1.0 in a format that this release does not know."
    )
    assert caught.value.do == "install Genwright 9.1.0 or a later one"


@pytest.mark.parametrize("release", [None, 9, "", "9\n\x1b[31m", "x" * 1000])
def test_a_later_format_that_does_not_name_its_release_is_told_all_the_same(release: object) -> None:
    with pytest.raises(FormatError) as caught:
        stored.parse(Bird, text(format=4, genwright=release), "birds/1.json")
    assert "a later release of Genwright" in caught.value.what
    assert len(str(caught.value)) < 300


def test_no_number_at_all_says_what_to_do() -> None:
    with pytest.raises(FormatError, match="no format number") as caught:
        stored.parse(Bird, text(names=["wren"], grams=9), "birds/1.json")
    assert caught.value.do == "count the birds again"


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ("", "no whole JSON object"),
        ("[]", "no whole JSON object"),
        (text(format=3, names=["wren"], grams="heavy"), "grams"),
        (text(format=3, names=["wren"]), "grams"),
        (text(format=3, names=["wren"], grams=9, wings=2), "wings"),
        (text(format=1, weight=0.009), "KeyError"),
        (text(format=2, names=["wren"], weight=None), "TypeError"),
        (text(format="3", names=["wren"], grams=9), "format '3'"),
        (text(format=True, name="wren", weight=1), "format True"),
        (text(format=0, names=["wren"], grams=9), "format 0"),
    ],
)
def test_damage_names_the_place(damaged: str, said: str) -> None:
    with pytest.raises(FormatError, match=r"birds/1.json \(bird\) is damaged") as caught:
        stored.parse(Bird, damaged, "birds/1.json")
    assert said in str(caught.value.got)


def test_lines_are_read_in_order_and_a_bad_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "birds.jsonl"
    assert stored.read_lines(Bird, path) == []
    odd = DAW.model_copy(update={"names": ["a\u2028b", "c\x0bd"]})  # ends of lines to some, not to JSON
    lines = [text(format=1, name="wren", weight=0.009), stored.line(odd), ""]
    path.write_text("\n".join(lines))
    assert stored.read_lines(Bird, path) == [Bird(names=["wren"], grams=9), odd]
    path.write_text("\n".join([*lines, stored.line(DAW)[:-5]]))
    with pytest.raises(FormatError, match=r"Line 4 of .*birds\.jsonl"):
        stored.read_lines(Bird, path)


def test_a_form_without_the_way_from_its_earlier_formats_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="format 3 and has 1 upgrades"):

        class Nest(Stored):
            form = "nest"
            format = 3
            upgrades = (named,)


@given(st.binary(max_size=40) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_odd_bytes_raise_nothing_else(data: bytes) -> None:
    with pytest.raises(FormatError):
        stored.parse(Bird, data, "birds/1.json")


@given(st.sampled_from([*Bird.model_fields, "format", "genwright", "name", "weight", "else"]), ANYTHING, st.integers(1, 4))
def test_odd_values_raise_nothing_else(key: str, value: Any, number: int) -> None:
    fields = [{"name": "wren", "weight": 1}, {"names": ["wren"], "weight": 1}, {"names": ["wren"], "grams": 9}, {}][number - 1]
    try:
        stored.parse(Bird, text(**{"format": number, "genwright": "1.0", **fields, key: value}), "birds/1.json")
    except FormatError as error:
        assert "birds/1.json" in str(error)


@given(st.integers(0, len(stored.line(DAW)) - 1))
def test_what_is_cut_short_raises_nothing_else(length: int) -> None:
    with pytest.raises(FormatError):
        stored.parse(Bird, stored.line(DAW)[:length], "birds/1.json")
