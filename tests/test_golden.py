"""What earlier releases wrote is still read: an example of every format of every form, as it lay on disk, and a model and a
data set that still open.

To change a form: raise its `format`, add the function from the number before to its `upgrades`, copy what is now written to
tests/golden/FORM-NUMBER.json (or .jsonl), say in READ how a workspace reads it where that is more than a file, and run `python
-m tests.forms`. Examples are never changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genwright.core import stored
from genwright.core.durable import exclusive
from genwright.core.errors import FormatError
from genwright.core.stored import Stored
from genwright.core.workspace import Workspace
from genwright.data.dataset import Dataset
from genwright.data.forgotten import forgotten
from genwright.lifecycle import pending, servers
from genwright.lifecycle.ledger import Ledger
from genwright.lifecycle.spending import spendings
from genwright.sampling.model import Model
from tests.forms import GOLDEN, SCHEMAS, forms, schemas

FORMS, NOW = forms(), schemas()
EXAMPLES = sorted(path for path in GOLDEN.iterdir() if path.is_file() and path != SCHEMAS)


@dataclass(frozen=True)
class Reading:
    """Where an example lies in a workspace, how all that is there is read, and what the last of it says."""

    place: str
    read: Callable[[Workspace], Sequence[Any]]
    says: dict[str, Any]


def up(workspace: Workspace) -> list[servers.Services | None]:
    """The servers, found as while process 4242 keeps them up."""
    lock = servers.lock(workspace)
    with exclusive(lock, busy=""):
        lock.write_text("4242")
        return [servers.running(workspace)]


READ = {
    "ledger-1.jsonl": Reading(
        ".genwright/ledger/digits.jsonl",
        lambda workspace: Ledger(workspace.state / "ledger", "digits").entries(),
        {"who": "ben@studio", "what": "rolled back", "before": 3, "after": 1, "why": "blurred"},
    ),
    "forgotten-1.jsonl": Reading(
        "data/forgotten.jsonl",
        forgotten,
        {"name": "año\u2028.txt", "why": "a licence ended", "who": "ana@studio", "at": "2025-03-05T05:06:07+00:00"},
    ),
    "request-1.json": Reading(
        ".genwright/requests/digits.json",
        lambda workspace: [pending.read(workspace, "digits")],
        {"name": "digits", "why": "new camera", "attempts": 2, "data": "3f2a9c00000000000000000000000000.dir"},
    ),
    "spending-1.json": Reading(
        ".genwright/spending/digits/20250304T050607089000.json",
        lambda workspace: spendings(workspace, "digits"),
        {"recipe": "digits", "identity": "ab" * 32, "wall_seconds": 312.25, "gpu_seconds": None, "joules": 4321.5},
    ),
    "servers-1.json": Reading(
        ".genwright/up.json",
        up,
        {"process": 4242, "prefect_api": "http://127.0.0.1:4200/api", "mlflow": "http://127.0.0.1:5000"},
    ),
}


def reading(example: Path) -> Reading:
    """How an example is read: as READ says, or as a file of its form alone."""
    kind, _ = form_of(example)
    place = f"kept/{example.name}"
    read = stored.read_lines if example.suffix == ".jsonl" else lambda kind, path: [stored.read(kind, path)]
    return READ.get(example.name) or Reading(place, lambda workspace: read(kind, workspace.root / place), {})


examples = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)


def form_of(example: Path) -> tuple[type[Stored], int]:
    name, _, number = example.stem.rpartition("-")
    return FORMS[name], int(number)


def put(example: Path, root: Path) -> Workspace:
    place = root / reading(example).place
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(example.read_bytes())
    return Workspace(root)


@examples
def test_an_example_is_read_as_it_was_meant(example: Path, tmp_path: Path) -> None:
    how = reading(example)
    found = how.read(put(example, tmp_path))[-1]
    assert {key: getattr(found, key) for key in how.says} == how.says


@examples
def test_an_example_of_the_present_format_is_what_is_written_today(example: Path) -> None:
    kind, number = form_of(example)
    for text in example.read_text().split("\n") if example.suffix == ".jsonl" else [example.read_text()]:
        if text and number == kind.format:
            now = stored.document(stored.parse(kind, text, example.name))
            assert now | {"genwright": ""} == json.loads(text) | {"genwright": ""}


def test_every_format_of_every_form_has_an_example() -> None:
    wanted = {f"{name}-{number}" for name, form in FORMS.items() for number in range(1, form.format + 1)}
    assert {example.stem for example in EXAMPLES} == wanted, "copy what is written to tests/golden/FORM-NUMBER.json"


def test_a_model_that_was_kept_still_draws() -> None:
    model = Model(GOLDEN / "model-1")
    drawn = model.generate(3, seed=7)
    assert [picture.shape for picture in drawn] == [(8, 8)] * 3
    assert any((drawn[0] != picture).any() for picture in drawn[1:])


def test_a_data_set_that_was_kept_still_opens() -> None:
    data = Dataset(GOLDEN / "data-1")
    assert [len(data.side(side)) for side in ("train", "validation", "test")] == [6, 2, 2]
    batch = data.train.batch(4, seed=0, step=0)
    assert batch.made.shape == (4, 1, 8, 8)
    assert set(batch.given) == {"condition"}
    assert data.contents.licences == {"CC0-1.0": 10}


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_schema_changes_with_its_number_alone(name: str) -> None:
    now, then = NOW[name], json.loads(SCHEMAS.read_text()).get(name)
    if then is not None and now["schema"] != then["schema"] and now["format"] == then["format"]:
        pytest.fail(
            f"The fields of {FORMS[name].__name__}, or of what it holds, changed and its format is still {now['format']}:"
            f" what lies on disk would not be read any more. {__doc__}"
        )
    assert now == then, f"write the fingerprints of the forms again: python -m tests.forms ({name})"


def test_a_ledger_of_two_formats_verifies_and_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old lines are never rewritten: their hashes hold, and they are brought up to date in memory."""
    ledger = Ledger(put(GOLDEN / "ledger-1.jsonl", tmp_path).state / "ledger", "digits")
    before = ledger.path.read_bytes()
    kind = FORMS["ledger"]
    monkeypatch.setattr(kind, "format", kind.format + 1)
    monkeypatch.setattr(kind, "upgrades", (*kind.upgrades, lambda old: {**old, "why": f"once: {old['why']}"}))
    ledger.append("promoted", before=1, after=4, why="sharper", who="ana@studio")
    assert ledger.path.read_bytes().startswith(before)
    assert ledger.verify(ledger.head) == []
    assert [entry.why for entry in ledger.entries()][-2:] == ["once: blurred", "sharper"]
    assert ledger.champions() == [1, 4]


def odd(value: Any, path: list[int], new: Any) -> Any:
    """A JSON value in which the part that `path` leads to is another."""
    if not path or not isinstance(value, dict | list) or not value:
        return new
    if isinstance(value, list):
        at = path[0] % len(value)
        return [odd(part, path[1:], new) if place == at else part for place, part in enumerate(value)]
    key = sorted(value)[path[0] % len(value)]
    return {**value, key: odd(value[key], path[1:], new)}


ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})


@examples
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.lists(st.integers(0, 20), max_size=5), new=ODD, cut=st.integers(0, 400) | st.none())
def test_a_damaged_one_raises_nothing_but_what_a_person_can_act_on(
    example: Path, tmp_path: Path, path: list[int], new: Any, cut: int | None
) -> None:
    kind, _ = form_of(example)
    first = json.loads(example.read_text().split("\n")[0] if example.suffix == ".jsonl" else example.read_text())
    text = json.dumps(odd(first, path, new))[:cut]
    try:
        stored.parse(kind, text, "a file")
    except FormatError as error:
        assert "a file" in error.what
    workspace = put(example, tmp_path)
    (tmp_path / reading(example).place).write_text(text)
    try:
        reading(example).read(workspace)
    except FormatError as error:
        assert reading(example).place.rpartition("/")[2] in error.what
