"""What the page tells a person to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from genwright.evaluation.bounds import GateVerdict
from genwright.lifecycle.gate import COMPARISON
from genwright.lifecycle.records import Decision, Promoted
from genwright.models.records import ModelVersion
from genwright.recipes.recipe import Recipe, load, parse
from genwright.reports.advice import next_steps
from genwright.training.records import Diagnosis, Round


def recipe(**train: Any) -> Recipe:
    content = {"kind": "image", "size": [8, 8], "channels": 1}
    return parse({"name": "tiny", "content": content, "sources": [{"kind": "sklearn", "dataset": "digits"}], "train": train})


def advice(
    what: str,
    verdicts: list[GateVerdict] | None = None,
    finding: str = "good",
    champion: int | None = None,
    dropped: float = 0.0,
    of: Recipe | None = None,
    **train: Any,
) -> str:
    found = Diagnosis.model_validate({"finding": finding, "evidence": "e"})
    steps = next_steps(
        of or recipe(**train),
        Round(model=None, evaluation=None, diagnosis=found),
        ModelVersion(name="tiny", version=4, weights="w", data="d", recipe="r", run="m"),
        Decision(promote=what == "promoted", verdicts=verdicts or [], champion=champion, reason="because"),
        Promoted.model_validate({"what": what, "version": 4, "champion": champion, "reason": "because"}),
        dropped,
    )
    return "\n".join(f"{step.words} {step.command or ''}" for step in steps)


def test_a_promotion_tells_how_to_use_it_and_how_to_go_back() -> None:
    words = advice("promoted", champion=3)
    assert "genwright generate tiny" in words
    assert "back to version 3. genwright rollback tiny" in words
    assert "rollback" not in advice("promoted", champion=None)


def test_a_version_that_waits_is_promoted_by_hand() -> None:
    assert "genwright promote tiny 4" in advice("waits")


def test_a_missed_bound_names_the_gap_and_the_key() -> None:
    missed = GateVerdict(name="coverage", passed=False, reason="r", value=0.6, bound=0.8)
    words = advice("refused", [missed], "under-trained", budget={"steps": 300})
    assert "misses its bound by 0.2, 25% of it" in words
    assert "`accept.coverage.at_least` asks for 0.8" in words
    assert "genwright run tiny --set train.budget.steps=600" in words


@pytest.mark.parametrize(
    ("finding", "key"),
    [
        ("overfitted", "train.weight_decay"),
        ("memorised", "add data"),
        ("collapsed", "select.families"),
        ("diverged", "train.learning_rate"),
        ("out of memory", "train.batch_size"),
        ("not good enough", "genwright run tiny --set train.budget.minutes=10 --set 'select.dials=[2]'"),
    ],
)
def test_every_finding_names_what_to_change(finding: str, key: str) -> None:
    assert key in advice("refused", finding=finding)


def test_what_was_set_for_this_run_stays_set(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(recipe(budget={"steps": 300}).model_dump(exclude_unset=True)))
    read = load(tmp_path / "tiny.yaml", ["train.budget.steps=40", "description=a b"])
    words = advice("refused", finding="under-trained", of=read)
    assert "genwright run tiny --set 'description=a b' --set train.budget.steps=80" in words
    assert "Then run the recipe again; what has not changed is not done again. genwright run tiny --set train.budget" in words


def test_what_could_not_be_measured_and_a_better_champion_are_told_apart() -> None:
    unmeasured = GateVerdict(name="coverage", passed=False, reason="coverage could not be measured: needs 30 test items")
    assert "needs 30 test items. `accept.coverage` cannot be met" in advice("refused", [unmeasured])
    worse = GateVerdict(name=COMPARISON, passed=False, reason="that is no gain", value=1.0, bound=0.9)
    assert "The champion stays: that is no gain" in advice("refused", [worse], champion=3)


def test_much_dropped_is_worth_a_look() -> None:
    assert "dropped 40% of the items" in advice("promoted", dropped=0.4)
    assert "dropped" not in advice("promoted", dropped=0.05)
