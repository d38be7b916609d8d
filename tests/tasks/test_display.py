"""What a person sees of long work: also of what is no training step."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from genwright.core.doing import listening, telling
from genwright.tasks import display
from genwright.tasks.display import Doing, bars


def test_work_tells_what_it_does_and_nobody_need_listen() -> None:
    told: list[tuple[str, int, int]] = []
    assert list(telling("drawing", "abc", 3)) == list("abc")
    with listening(lambda *what: told.append(what)):
        assert list(telling("drawing", "abc", 3)) == list("abc")
    list(telling("drawing", "abc", 3))
    assert told == [("drawing", 0, 3), ("drawing", 1, 3), ("drawing", 2, 3)]


def shown(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    """What is on the screen while forty samples of a second each are drawn, of which ten are shown."""
    now = 100.0
    out = io.StringIO()
    monkeypatch.setattr(display, "console", Console(file=out, force_terminal=terminal, width=120))
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    with bars() as progress, Doing(progress, "select") as doing:
        for _ in telling("drawing samples", range(40), 40):
            now += 1
            progress.refresh()
        doing.rest()
        before = len(out.getvalue())
        progress.refresh()
        assert "drawing" not in out.getvalue()[before:]
    return out.getvalue()


def test_a_bar_shows_it_and_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "20/40" in shown(monkeypatch, terminal=True)
    lines = shown(monkeypatch, terminal=False).splitlines()
    assert [line.strip() for line in lines] == [
        "select  drawing samples: 16 of 40, 1.0 a second, 24 s left",
        "select  drawing samples: 32 of 40, 1.0 a second, 8 s left",
    ]
