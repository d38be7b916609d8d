"""Trainings on real data that go wrong in known ways: what is wrong is found, and what must not pass does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from trials.provoked import CASES, provoked

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@pytest.mark.parametrize("name", ["memorised", "overfitted", "collapsed"])
def test_what_went_wrong_is_found_and_answered(name: str, tmp_path: Path) -> None:
    found = provoked(CASES[name], tmp_path)
    assert found.diagnosis.finding == name
    assert "mmd" in found.refused_by
    if name == "memorised":
        assert "copies" in found.refused_by


def test_a_model_whose_captions_were_shuffled_is_caught_and_a_sound_one_is_not(tmp_path: Path) -> None:
    caught, sound = (provoked(CASES[f"{name} captions"], tmp_path / name) for name in ("shuffled", "sound"))
    assert "heeds" in caught.refused_by
    assert any("makes no difference" in words for words in caught.alarms)
    assert "heeds" not in sound.refused_by
    assert not any("makes no difference" in words for words in sound.alarms)
    assert sound.diagnosis.finding == "good"
