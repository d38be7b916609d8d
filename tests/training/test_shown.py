"""Samples while a model trains: a sheet at every held-out measure, the same whatever happened between."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.models.records import Plan
from genwright.reports import strip
from genwright.training import shown
from genwright.training.fit import Fit
from tests import made


def run(data: Dataset, plan: Plan, folder: Path, settings: Settings) -> dict[int, Path]:
    for _ in Fit(data, plan, folder, settings, data="d"):
        pass
    return shown.sheets(folder)


def test_there_is_a_sheet_of_the_same_seeds_at_every_measure(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    plan = made.plan(data, "vae")
    whole = run(data, plan, tmp_path / "whole", settings)
    assert list(whole) == [4, 8, 12]
    sizes = {Image.open(sheet).size for sheet in whole.values()}
    assert len(sizes) == 1
    assert len({sheet.read_bytes() for sheet in whole.values()}) == 3
    points = iter(Fit(data, plan, tmp_path / "stopped", settings, data="d"))
    for _ in range(9):
        next(points)
    points.close()  # type: ignore[attr-defined]
    again = run(data, plan, tmp_path / "stopped", settings)
    assert {step: sheet.read_bytes() for step, sheet in again.items()} == {s: f.read_bytes() for s, f in whole.items()}


def test_what_is_made_again_is_forgotten_and_a_page_shows_the_rest(data: Dataset, tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "round-1"
    run(data, made.plan(data, "gan"), folder, settings)
    shown.cut(folder, 8)
    assert list(shown.sheets(folder)) == [4, 8]
    told = strip.strip(folder)
    assert [step for step, _ in told] == [4, 8]
    page = strip.write(tmp_path / "page.html", "<digits>", "in the first round", [("round-1", told)]).read_text()
    assert page.count('<img src="data:image/png;base64,') == 2
    assert "step 8" in page
    assert "<digits>" not in page


def test_texts_are_shown_as_text(tmp_path: Path, settings: Settings) -> None:
    data = made.dataset(tmp_path / "data", Part(kind="text", options={"vocab": 300, "length": 24}))
    plan = made.plan(data, "gpt", measure="fluency")
    folder = tmp_path / "round-1"
    run(data, plan, folder, settings)
    told = strip.strip(folder)
    assert all(sheet.kind == "text" and sheet.before.startswith("--- 1 ---") for _, sheet in told)


def test_many_moments_are_thinned_to_some_of_them(tmp_path: Path) -> None:
    (tmp_path / "shown").mkdir()
    for step in range(100, 4100, 100):
        (tmp_path / "shown" / f"{step:08d}.txt").write_text(f"step {step}")
    found = [step for step, _ in strip.strip(tmp_path)]
    assert len(found) == strip.MOMENTS
    assert (found[0], found[-1]) == (100, 4000)
