"""Every form is recognised, read whole, and read the same way by the recipe that `new` writes for it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genwright.core.errors import DataError
from genwright.core.workspace import Workspace
from genwright.data.item import Item
from genwright.data.readers.base import readers
from genwright.data.split import Splitting
from genwright.recipes.inspect import Inspection, inspect
from genwright.recipes.origin import Origin
from genwright.recipes.recipe import Recipe, parse
from genwright.recipes.stages import items
from genwright.recipes.suggest import Machine, Proposal
from tests import brought

LAPTOP = Machine(cores=2, memory_gib=16, gpu=None)


def proposed(place: Path) -> tuple[Inspection, Recipe]:
    found = inspect(place, place.parent / "cache")
    return found, parse(yaml.safe_load(Proposal("mine", Origin.folder(str(place)), found, LAPTOP).text()))


def read(recipe: Recipe, workspace: Path) -> list[Item]:
    return list(items(recipe, Workspace(workspace)))


@pytest.mark.parametrize("form", brought.FORMS)
def test_a_form_is_recognised_and_read_as_it_was_looked_at(form: str, tmp_path: Path) -> None:
    make, reader, kind, asked = brought.FORMS[form]
    found, recipe = proposed(make(tmp_path / "inbox"))
    assert (found.form, found.kind) == (reader, kind)
    assert set(found.given) | ({"label"} if found.classes else set()) == asked
    assert not found.skipped
    assert found.unreadable == {}
    collected = read(recipe, tmp_path)
    assert len(collected) == found.items
    assert len({item.name for item in collected}) == found.items
    assert (recipe.condition is not None) == bool(asked)
    if asked:
        assert all(len(item.columns) == 2 for item in collected)
    if form != "book":
        assert found.items == {"several captions": 2 * brought.N - 4}.get(form, brought.N)


def test_every_reader_has_data_to_be_tried_on() -> None:
    assert {reader for _, reader, _, _ in brought.FORMS.values()} | {"files"} == set(readers.all())


def test_pairs_go_together(tmp_path: Path) -> None:
    pairs = set(brought.questions())
    for form, (make, _, _, asked) in brought.FORMS.items():
        if asked == brought.PAIR and form not in ("in two folders", "aligned", "alpaca", "drawn from", "masked"):
            _, recipe = proposed(make(tmp_path / form))
            told = {(item.columns["condition"].decode(), item.data.decode()) for item in read(recipe, tmp_path)}
            assert told == pairs, form


def test_a_row_may_have_a_licence_of_its_own(tmp_path: Path) -> None:
    table = brought.programs(tmp_path / "inbox") / "data.jsonl"
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    del rows[0]["license"]
    found, recipe = proposed(brought.lines(table, rows).parent)
    assert found.notes == ["columns that are not used: 'path'"]
    recipe.sources[0].options["licence"] = "MIT"
    assert [item.licence for item in read(recipe, tmp_path)] == ["MIT", *["PSF"] * (len(rows) - 1)]


def test_captions_are_those_of_their_pictures(tmp_path: Path) -> None:
    told = list(zip(brought.pictures(), brought.colours(), strict=True))
    for form in ("captions", "embedded", "by name", "shards"):
        _, recipe = proposed(brought.FORMS[form][0](tmp_path / form))
        assert [(item.data, item.columns["condition"].decode()) for item in read(recipe, tmp_path)] == told


def test_each_line_beside_a_picture_is_a_caption_and_the_folder_has_one_for_the_rest(tmp_path: Path) -> None:
    found, recipe = proposed(brought.several_captions(tmp_path / "inbox"))
    assert "side files have several lines: each line is a caption, and its picture an item with each of them" in found.notes
    told: dict[bytes, list[str]] = {}
    for item in read(recipe, tmp_path):
        told.setdefault(item.data, []).append(item.columns["condition"].decode())
    wanted = [[caption, f"a thing in the {('middle', 'corner')[n % 2]}"] for n, caption in enumerate(brought.colours())]
    wanted[-4:] = [["some shape"]] * 4
    assert list(told.items()) == list(zip(brought.pictures(), wanted, strict=True))


def test_where_few_captions_have_several_lines_each_is_one_and_that_is_said(tmp_path: Path) -> None:
    for place, data in enumerate(brought.pictures()):
        (tmp_path / f"{place}.png").write_bytes(data)
        (tmp_path / f"{place}.caption").write_text("a shape\non a ground" if place < 5 else "another")
    found, recipe = proposed(tmp_path)
    assert "5 side files have several lines, and are one caption; `caption_lines: true` takes each line" in found.notes
    collected = read(recipe, tmp_path)
    assert len(collected) == brought.N
    assert collected[0].columns["condition"] == b"a shape\non a ground"


def test_pictures_are_made_from_the_ones_called_after_them(tmp_path: Path) -> None:
    folder, shown = brought.masked(tmp_path / "inbox"), brought.pictures()
    found, recipe = proposed(folder)
    assert f"{brought.N} pictures called -masklabel are left aside" in found.notes
    told = {item.name: (item.data, item.columns["condition"]) for item in read(recipe, tmp_path)}
    assert told == {f"{n}.png": (shown[n], shown[n - 1]) for n in range(brought.N)}
    for path in folder.glob("*-condlabel.png"):
        path.unlink()
    found, recipe = proposed(folder)
    assert found.options.control == "-masklabel"
    assert {item.columns["condition"] for item in read(recipe, tmp_path)} == set(shown)
    for n in range(brought.N):
        (folder / f"{n}.txt").write_text(f"number {n}")
    assert "the recipe asks by the condition alone; there are 72 with a caption" in " ".join(proposed(folder)[0].notes)


def test_a_big_text_is_held_out_in_blocks_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    place = brought.book(tmp_path / "inbox")
    _, recipe = proposed(place)
    collected = read(recipe, tmp_path)
    split = Splitting(validation=0.2, test=0.2)
    sides = [split.side(item.place) for item in collected]
    blocks = [sides[start : start + 8] for start in range(0, len(sides), 8)]
    assert all(len(set(block)) == 1 for block in blocks)
    assert {side for block in blocks for side in block} == {"train", "validation", "test"}
    whole = b"".join(item.data for item in collected)
    assert b"".join(whole.split()) == b"".join(place.read_bytes().split())


def test_a_text_without_blank_lines_is_cut_at_lines_and_one_without_lines_anywhere(tmp_path: Path) -> None:
    place = tmp_path / "log.txt"
    place.write_text("".join(f"line {n} says that all is well\n" for n in range(4000)))
    found = inspect(place)
    assert found.options.form.options == {"at": "lines"}
    assert found.items == pytest.approx(place.stat().st_size / 1024, rel=0.05)
    place.write_text("x y " * 100_000)
    assert inspect(place).items == pytest.approx(400_000 / 16 / 1024, abs=2)


def test_a_wide_text_is_read(tmp_path: Path) -> None:
    text = "\n\n".join(f"Čapek wrote of robots, {n} times.\r\n" * 9 for n in range(400))
    (tmp_path / "capek.txt").write_bytes(text.encode("utf-16"))
    found, recipe = proposed(tmp_path / "capek.txt")
    assert found.unreadable == {}
    assert "Čapek wrote of robots, 6 times." in read(recipe, tmp_path)[1].data.decode()


def sides(place: Path, workspace: Path) -> dict[str, set[str]]:
    """The first part of each item's name, and what the recipe makes of it."""
    found, recipe = proposed(place)
    told: dict[str, set[str]] = {}
    for item in read(recipe, workspace):
        told.setdefault(re.split("[/.-]", item.name)[0], set()).add(recipe.split.side(item.place, given=item.given_side))
    assert ("names say what is held out, and that is respected" in found.notes) == recipe.sources[0].options.get(
        "splits", False
    )
    return told


def test_names_of_folders_and_tables_say_what_is_held_out(tmp_path: Path) -> None:
    rows = [{"text": f"{answer} ({n})"} for n, (_, answer) in enumerate(brought.questions() * 4)]
    tables = tmp_path / "tables"
    for name, part in (("train-00000-of-00001", rows[:200]), ("dev", rows[200:240]), ("test", rows[240:])):
        brought.lines(tables / f"{name}.jsonl", part)
    assert sides(tables, tmp_path) == {"train": {"train"}, "dev": {"validation"}, "test": {"test"}}
    (tables / "dev.jsonl").unlink()  # what there is to choose by comes out of the rest
    assert sides(tables, tmp_path) == {"train": {"train", "validation"}, "test": {"test"}}
    brought.lines(tables / "test.jsonl", rows[240:]).rename(tables / "val.jsonl")
    (tables / "test.jsonl").unlink(missing_ok=True)
    assert sides(tables, tmp_path) == {"train": {"train", "validation"}, "val": {"test"}}
    (tables / "val.jsonl").unlink()
    assert sides(tables, tmp_path) == {"train": {"train", "validation", "test"}}

    for place, data in enumerate(brought.pictures()):
        for side in ("Train", "Test"):
            path = tmp_path / "pictures" / side / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if side == "Train" else data + b" ")
    assert sides(tmp_path / "pictures", tmp_path) == {"Train": {"train", "validation"}, "Test": {"test"}}


def test_a_picture_called_test_is_one_of_a_test(tmp_path: Path) -> None:
    for place, data in enumerate(brought.pictures()):
        (tmp_path / f"{('train', 'test')[place % 2]}-{place}.png").write_bytes(data)
    found = inspect(tmp_path)
    assert not found.options.splits


def test_what_is_no_row_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    place = brought.prompts(tmp_path / "inbox") / "train.jsonl"
    place.write_text(place.read_text() + '{"prompt": "cut of\n[1, 2]\n\n{"prompt": "no answer"}\n')
    found, recipe = proposed(place.parent)
    assert found.items == brought.N
    assert found.skipped["train.jsonl:73"].startswith("no JSON")
    assert found.skipped["train.jsonl:74"] == "no JSON object: list"
    assert found.skipped["train.jsonl:76"] == "it has no content"
    assert len(read(recipe, tmp_path)) == brought.N


def test_a_picture_that_is_missing_costs_its_row_alone(tmp_path: Path) -> None:
    folder = brought.captions(tmp_path / "inbox")
    (folder / "train" / "003.PNG").unlink()
    found = inspect(folder)
    assert found.items == brought.N - 1
    assert found.skipped == {"metadata.jsonl:4": "there is no file 'train/003.PNG' beside the table"}


def test_a_table_beside_the_folder_of_its_pictures_says_what_to_write(tmp_path: Path) -> None:
    folder = brought.captions(tmp_path / "inbox")
    lines = (folder / "metadata.jsonl").read_text().replace("train/", "").splitlines()
    (folder / "metadata.jsonl").write_text("\n".join([*lines[1:], lines[0].replace("000.PNG", "train/000.png")]))
    (folder / "train" / "000.PNG").rename(folder / "train" / "000.png")
    found = inspect(folder)
    assert found.items == 1
    said = found.skipped["metadata.jsonl:1"]
    assert said.startswith("there is no file '001.PNG' beside the table; 'train/001.PNG' is called so: write that")


@pytest.mark.parametrize(
    ("name", "line", "separator", "why"),
    [
        ("tatoeba.tsv", '"Stop {}", she said.\tIch sagte "halt {}".', "\t", "'column 2' is taken to answer 'column 1'"),
        (
            "speech.csv",
            "LJ{}|Printing, in the sense with which we are concerned, {}|printing, as we know it, {} in words",
            "|",
            "'column 3' is taken to answer 'column 2'",
        ),
    ],
)
def test_a_table_without_names_keeps_its_first_row(name: str, line: str, separator: str, why: str, tmp_path: Path) -> None:
    lines = [line.replace("{}", str(n)) for n in range(brought.N)]
    (tmp_path / name).write_text("".join(f"{one}\n" for one in lines))
    found, recipe = proposed(tmp_path / name)
    assert why in found.claim.why
    told = [[item.columns["condition"].decode(), item.data.decode()] for item in read(recipe, tmp_path)]
    assert told == [one.split(separator)[-2:] for one in lines]


def test_a_row_of_too_many_values_is_named(tmp_path: Path) -> None:
    rows = [f"{n},a text of some length about {n}" for n in range(brought.N)]
    (tmp_path / "a.csv").write_text("\n".join(["id,text", *rows, "73,one, with a comma", ""]))
    found = inspect(tmp_path / "a.csv")
    assert found.items == brought.N
    assert found.skipped == {"a.csv:73": "3 values for 2 columns"}


def test_a_table_of_one_column_may_have_commas(tmp_path: Path) -> None:
    texts = [f"well, this is a text; number {n}" for n in range(brought.N)]
    (tmp_path / "a.csv").write_text("\n".join(["text", *texts]))
    _, recipe = proposed(tmp_path / "a.csv")
    assert [item.data.decode() for item in read(recipe, tmp_path)] == texts


def test_of_two_columns_of_pictures_one_is_made_from_the_other(tmp_path: Path) -> None:
    """As diffusers' scripts for editing and for control have them."""
    shown = brought.pictures()
    rows = []
    for n in range(brought.N):
        for kind, data in (("in", shown[n - 1]), ("out", shown[n])):
            (tmp_path / f"{kind}{n}.png").write_bytes(data)
        rows.append({"original_image": f"in{n}.png", "edit_prompt": "mend it", "edited_image": f"out{n}.png", "score": n})
    brought.lines(tmp_path / "metadata.jsonl", rows)
    found, recipe = proposed(tmp_path)
    assert "'edited_image' holds pictures, made from those in 'original_image', said by 'edit_prompt'" in found.claim.why
    assert "columns that are not used: 'score'" in found.notes
    assert [(item.data, item.columns["condition"]) for item in read(recipe, tmp_path)] == [
        (shown[n], shown[n - 1]) for n in range(brought.N)
    ]


def test_captions_of_coco_and_labels_of_stylegan(tmp_path: Path) -> None:
    for n, data in enumerate(brought.pictures()):
        (tmp_path / f"{n}.png").write_bytes(data)
    names = [{"id": 100 + n, "file_name": f"{n}.png", "width": 16, "height": 16} for n in range(brought.N)]
    told = [{"id": n, "image_id": 100 + n % brought.N, "caption": f"shape {n}"} for n in range(2 * brought.N)]
    (tmp_path / "captions.json").write_text(json.dumps({"info": {}, "images": names, "annotations": told}))
    found, recipe = proposed(tmp_path)
    assert found.items == 2 * brought.N
    first = read(recipe, tmp_path)[brought.N]
    assert (first.data, first.columns["condition"]) == (brought.pictures()[0], b"shape 72")
    (tmp_path / "captions.json").rename(tmp_path / "dataset.json")
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [[f"{n}.png", n % 2] for n in range(brought.N)]}))
    found, _ = proposed(tmp_path)
    assert found.classes == {"0": brought.N // 2, "1": brought.N // 2}


def test_sound_in_a_table_is_no_picture(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    clips = [{"bytes": b"RIFF\x24\0\0\0WAVEfmt " + bytes([n]) * 40, "path": f"{n}.wav"} for n in range(brought.N)]
    said = [answer for _, answer in brought.questions()]
    pq.write_table(pa.table({"audio": clips, "text": said}), tmp_path / "data.parquet")
    found, _ = proposed(tmp_path)
    assert found.kind == "text"
    assert "columns that are not used: 'audio'" in found.notes


def test_no_file_outside_the_folder_is_read_for_a_row(tmp_path: Path) -> None:
    folder = brought.captions(tmp_path / "inbox")
    (tmp_path / "secret.png").write_bytes(brought.pictures()[0])
    told = {"file_name": "../secret.png", "text": "a secret"}
    brought.lines(folder / "metadata.jsonl", [told, {"file_name": "train/001.PNG", "text": "a shape"}])
    found = inspect(folder)
    assert found.items == 1
    assert "metadata.jsonl:1" in found.skipped


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": n, "score": n / 2} for n in range(60)], "form: {kind: table, content: COLUMN}"),
        ([{"file": f"{n}.png", "text": "lost"} for n in range(60)], "there is no file '0.png' beside the table"),
    ],
)
def test_a_table_of_nothing_says_which_columns_there_are(rows: list[dict[str, object]], said: str, tmp_path: Path) -> None:
    brought.lines(tmp_path / "inbox" / "data.jsonl", rows)
    given = {"kind": "folder", "path": "inbox", "form": "table"}
    content = {"kind": "image", "size": [8, 8]} if "file" in rows[0] else "text"
    with pytest.raises(DataError) as error:
        read(parse({"name": "mine", "content": content, "sources": [given]}), tmp_path)
    assert said in str(error.value)
    assert ", ".join(sorted(rows[0])) in str(error.value)


def test_files_that_do_not_go_line_by_line_are_refused(tmp_path: Path) -> None:
    folder = brought.aligned(tmp_path / "inbox")
    _, recipe = proposed(folder)
    with (folder / "train.en").open("a") as file:
        file.write("one line more\n")
    with pytest.raises(DataError, match=r"do not have as many lines[\s\S]*ends after 72"):
        read(recipe, tmp_path)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
                max_leaves=8,
            ).map(lambda value: json.dumps(value).encode()),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wild_tables_raise_nothing_but_what_a_person_can_read(tmp_path: Path, lines: list[bytes]) -> None:
    (tmp_path / "data.jsonl").write_bytes(b"\n".join(lines))
    written = b"\n".join(lines)
    with suppress(DataError):
        found = inspect(tmp_path / "data.jsonl")
        told = [line for line in written.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
        assert found.items + len(found.skipped) == len(told), "every line is an item, or named"
