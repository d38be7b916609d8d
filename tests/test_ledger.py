"""The ledger: nothing is lost, nothing is rewritten, and it knows the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from genwright.errors import GenwrightError
from genwright.ledger import Ledger
from genwright.records import Decision, GateVerdict


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
        file.write('{"what": "crowned"}\n')
    with pytest.raises(GenwrightError, match="Line 2"):
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
