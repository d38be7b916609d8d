"""Data in the forms that people have goes through `new`, `run` and `generate` as it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import brought
from tests.workspaces import genwright, outcome

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
TRIED = ("prompts", "labelled", "embedded", "book", "aligned", "shards", "zipped")  # each reader, each kind of asking
SMALL = {
    "select.dials": "[0.125]",
    "select.budget": "{steps: 4}",
    "train.budget": "{steps: 8}",
    "train.rounds": "1",
    "samples": "16",
    "accept": "{}",
}


@pytest.mark.parametrize("form", TRIED)
def test_new_run_generate(form: str, tmp_path: Path) -> None:
    make, reader, kind, asked = brought.FORMS[form]
    place = make(tmp_path / "inbox")
    done = genwright(tmp_path, "new", "mine", "--from", str(place), "--json")
    told = outcome(done)
    assert (told["form"], told["content"]) == (reader, kind)

    sets = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    ran = outcome(genwright(tmp_path, "run", "mine", "--json", *sets))
    assert ran["champion"] == 1
    by = {"label": ["--label", next(iter(told["labels"]), "")], "caption": ["--prompt", "a bright shape"]}
    question = by.get(next(iter(asked), ""), ["--prompt", "What does json.dumps do?"] if asked else [])
    drew = genwright(tmp_path, "generate", "mine", "-n", "2", "--out", "drawn", "--json", *question)
    assert drew.returncode == 0, drew.stderr
    files = json.loads(drew.stdout)["files"]
    assert len(files) == 2
    assert all((tmp_path / "drawn" / file).stat().st_size for file in files)


def test_every_reader_is_tried() -> None:
    assert {brought.FORMS[form][1] for form in TRIED} == {reader for _, reader, _, _ in brought.FORMS.values()}
