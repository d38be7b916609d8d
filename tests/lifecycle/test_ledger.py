"""The ledger: nothing is lost, nothing is rewritten, and it knows the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from genwright.core.errors import FormatError
from genwright.evaluation.bounds import GateVerdict
from genwright.lifecycle.ledger import Ledger
from genwright.lifecycle.records import Decision


def test_entries_say_who_what_from_to_why_and_verdicts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "digits")
    decision = Decision(promote=False, verdicts=[GateVerdict(name="mmd", passed=False, reason="too far")], reason="no")
    ledger.append("promoted", before=None, after=1, why="first")
    ledger.append("refused", before=1, after=2, why="worse", decision=decision)
    first, second = Ledger(tmp_path, "digits").entries()
    assert (first.what, first.before, first.after, first.why) == ("promoted", None, 1, "first")
    assert "@" in first.who
    assert first.at.endswith("+00:00")
    assert second.verdicts == decision.verdicts
    assert ledger.champions() == [1]


def test_appending_leaves_earlier_bytes_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "digits")
    ledger.append("promoted", before=None, after=1, why="a")
    before = ledger.path.read_bytes()
    ledger.append("promoted", before=1, after=2, why="b")
    assert ledger.path.read_bytes().startswith(before)


def test_a_line_cut_short_by_a_crash_costs_only_itself(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "digits")
    ledger.append("promoted", before=None, after=1, why="a")
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + whole[: len(whole) // 2])
    ledger.append("promoted", before=1, after=2, why="b")
    assert [entry.after for entry in ledger.entries()] == [1, 2]


def test_a_line_that_is_no_entry_is_an_error(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "digits")
    ledger.append("promoted", before=None, after=1, why="a")
    with ledger.path.open("a") as file:
        file.write('{"format": 1, "what": "crowned"}\n')
    with pytest.raises(FormatError, match="Line 2"):
        ledger.entries()


def test_rollbacks_go_back_one_champion_after_the_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "digits")
    for before, after in ((None, 1), (1, 2), (2, 5)):
        ledger.append("promoted", before=before, after=after, why="better")
    ledger.append("rolled back", before=5, after=2, why="bad")
    assert ledger.champions() == [1, 2]
    ledger.append("promoted", before=2, after=6, why="better")
    ledger.append("refused", before=6, after=7, why="worse")
    assert ledger.champions() == [1, 2, 6]
    ledger.append("noticed", before=6, after=None, why="the alias was removed by hand")
    assert ledger.champions() == []


def chain(folder: Path) -> Ledger:
    ledger = Ledger(folder, "digits")
    for before, after in ((None, 1), (1, 2), (2, 3)):
        ledger.append("promoted", before=before, after=after, why="better")
    return ledger


def test_every_line_carries_the_hash_of_the_one_before(tmp_path: Path) -> None:
    ledger = chain(tmp_path)
    assert ledger.verify() == []
    assert ledger.verify(ledger.head) == []
    assert [bool(entry.previous) for entry in ledger.entries()] == [False, True, True]


@pytest.mark.parametrize("harm", ["changed", "removed", "inserted", "cut off", "swapped"])
def test_what_was_done_to_a_ledger_shows(tmp_path: Path, harm: str) -> None:
    ledger = chain(tmp_path)
    head, lines = ledger.head, ledger.path.read_bytes().splitlines(keepends=True)
    harmed = {
        "changed": [lines[0], lines[1].replace(b"better", b"worse"), lines[2]],
        "removed": [lines[0], lines[2]],
        "inserted": [lines[0], lines[0], *lines[1:]],
        "cut off": lines[:2],
        "swapped": [lines[1], lines[0], lines[2]],
    }
    ledger.path.write_bytes(b"".join(harmed[harm]))
    assert ledger.verify(head)


def test_a_line_cut_short_is_no_tampering(tmp_path: Path) -> None:
    ledger = chain(tmp_path)
    ledger.path.write_bytes(ledger.path.read_bytes() + b'{"at": "20')
    ledger.append("refused", before=3, after=4, why="worse")
    assert ledger.verify(ledger.head) == []


def test_a_version_waits_until_something_is_said_of_it(tmp_path: Path) -> None:
    ledger = chain(tmp_path)
    assert ledger.asked() is None
    ledger.append("asked", before=3, after=4, why="it passed")
    assert ledger.asked() == 4
    ledger.append("rejected", before=3, after=4, why="blurred")
    assert ledger.asked() is None
    said = ledger.answered(4)
    assert said is not None
    assert said.why == "blurred"
    assert ledger.champions() == [1, 2, 3]
