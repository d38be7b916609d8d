"""SWORD modules as a source of verses and their translations."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import pytest
from pysword.books import BibleStructure

from genwright.core import stored
from genwright.core.errors import DataError
from genwright.data.fetch.packages import Fetched
from genwright.data.sources.sword import Sword, SwordOptions, plain

ENGLISH = {
    (1, 1): '<w lemma="strong:H7225">In the beginning</w>, God<note placement="foot">The Hebrew…</note><w>created</w> all. ',
    (1, 2): '<title>An editor says</title>The earth  was <q marker="">“formless”</q>.<div eID="g" type="x-p"/>',
    (1, 3): "<note>Some manuscripts lack this verse.</note>",
    (2, 1): '<title canonical="true" type="psalm">A Psalm.</title> So &amp; so.',
    (50, 26): 'The end. <chapter eID="Gen.50"/><div eID="g" type="book"/> <title>Glossary</title> Abba is a word.',
}
SPANISH = {(1, 1): "EN el principio", (1, 2): "Y la tierra", (1, 3): "Y dijo", (2, 1): "Salmo. Y así", (50, 26): "Fin."}


def module(cache: Path, package: str, name: str, verses: dict[tuple[int, int], str]) -> None:
    """A package in the cache with a zText module that holds verses of Genesis."""
    files = cache / "packages" / "apt" / package / "1.0" / "files"
    data = files / "usr/share/sword/modules" / name
    data.mkdir(parents=True)
    (files / "usr/share/sword/mods.d").mkdir()
    (files / f"usr/share/sword/mods.d/{name}.conf").write_text(
        f"[{name}]\nDataPath=./modules/{name}/\nModDrv=zText\nSourceType=OSIS\nEncoding=UTF-8\nVersification=KJV\n"
        "DistributionLicense=Public Domain\n"
    )
    records, text = bytearray(10 * 2000), b""
    for (chapter, verse), marked in verses.items():
        index = BibleStructure("kjv").ref_to_indicies("Genesis", chapter, verse)["ot"][0]
        struct.pack_into("<IIH", records, 10 * index, 0, len(text), len(marked.encode()))
        text += marked.encode()
    packed = zlib.compress(text)
    (data / "ot.bzv").write_bytes(records)
    (data / "ot.bzs").write_bytes(struct.pack("<III", 0, len(packed), len(text)))
    (data / "ot.bzz").write_bytes(packed)
    fetched = Fetched(version="1.0", file=f"{package}.deb", sha256="0" * 64, skipped={})
    stored.write(files.parent / "fetched.json", fetched)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    module(tmp_path, "text-en", "En", ENGLISH)
    module(tmp_path, "text-es", "Es", SPANISH)
    return tmp_path


def source(base: Path, **options: object) -> Sword:
    given = {"content": {"package": "text-es", "version": "1.0"}, **options}
    return Sword(SwordOptions.model_validate(given), base=base, cache=base, suffixes=frozenset())


ENGLISH_TOO = {"condition": {"package": "text-en", "version": "1.0"}}


def test_verses_are_paired_by_number_and_stripped_of_markup(base: Path) -> None:
    made = source(base, **ENGLISH_TOO)
    items = list(made.items())
    assert [(item.name, item.data.decode(), (item.columns.get("condition") or b"").decode()) for item in items] == [
        ("Gen.1.1", "EN el principio", "In the beginning, God created all."),
        ("Gen.1.2", "Y la tierra", "The earth was “formless”."),
        ("Gen.2.1", "Salmo. Y así", "A Psalm. So & so."),
        ("Gen.50.26", "Fin.", "The end."),
    ]
    assert (items[0].source, items[0].licence) == ("sword:Es+En", "Public Domain")
    assert made.skipped["Gen.1.3"] == "empty or missing in one of the works"


def test_one_work_alone_has_no_condition(base: Path) -> None:
    assert {item.name: item.columns.get("condition") for item in source(base).items()}["Gen.1.3"] is None


def test_verses_can_be_excluded(base: Path) -> None:
    names = [item.name for item in source(base, exclude=["Gen.1.*"], **ENGLISH_TOO).items()]
    assert names == ["Gen.2.1", "Gen.50.26"]


def test_the_state_follows_both_works(base: Path) -> None:
    before = source(base, **ENGLISH_TOO).state()
    assert before == source(base, **ENGLISH_TOO).state() != source(base).state()
    shutil.rmtree(base / "packages/apt/text-en")
    module(base, "text-en", "En", {**ENGLISH, (1, 1): "At first"})
    assert source(base, **ENGLISH_TOO).state() != before


def test_a_module_that_is_not_there_is_named_with_those_that_are(base: Path) -> None:
    with pytest.raises(DataError, match=r"no module 'Ess' \(did you mean 'Es'\?\)"):
        source(base, content={"package": "text-es", "version": "1.0", "module": "Ess"}).state()


def test_a_module_that_points_elsewhere_is_refused(base: Path) -> None:
    conf = next(base.rglob("Es.conf"))
    conf.write_text(conf.read_text().replace("./modules/Es/", "/etc/"))
    with pytest.raises(DataError, match="points out of its package"):
        source(base).state()


def test_notes_between_words_leave_one_space() -> None:
    assert plain("one<note>x</note>two, <note>y</note>three<note>z</note>.") == "one two, three."


@pytest.mark.long
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not on this machine")
def test_the_real_works_are_translations_of_each_other(tmp_path: Path) -> None:
    given = {"content": {"package": "sword-text-sparv"}, "condition": {"package": "sword-text-web"}}
    made = Sword(SwordOptions.model_validate(given), base=tmp_path, cache=tmp_path, suffixes=frozenset())
    pairs = {item.name: (item.data.decode(), (item.columns.get("condition") or b"").decode()) for item in made.items()}
    assert len(pairs) == 31_077
    assert pairs["John.6.48"] == ("Yo soy el pan de vida.", "I am the bread of life.")
    assert not [name for name, pair in pairs.items() if "<" in "".join(pair) or "  " in "".join(pair)]
