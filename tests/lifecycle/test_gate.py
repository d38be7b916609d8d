"""The gate: absolute bounds, then the champion on equal terms."""

from __future__ import annotations

from typing import Any

import pytest

from genwright.evaluation.records import Evaluation, Measured
from genwright.lifecycle.gate import COMPARISON, judge, remembers
from genwright.recipes.recipe import Recipe, parse


def recipe(**fields: Any) -> Recipe:
    given = {
        "name": "r",
        "content": {"kind": "image"},
        "condition": "label",
        "sources": [{"kind": "sklearn", "dataset": "digits"}],
    }
    return parse({**given, **fields})


def measured(value: float, spread: float = 0.1) -> Measured:
    return Measured(value=value, low=value - spread, high=value + spread, n=100)


def evaluation(model: str = "new", **fields: Any) -> Evaluation:
    given = {"evaluation_set": "e", "code": "1", "compared_by": "mmd", "measures": {"mmd": measured(1.0)}}
    return Evaluation.model_validate({"model": model, **given, **fields})


@pytest.mark.parametrize(
    ("bound", "value", "passes"),
    [
        ({"at_least": 0.85}, 0.85, True),
        ({"at_least": 0.85}, 0.8499, False),
        ({"at_most": 0.1}, 0.1, True),
        ({"at_most": 0.1}, 0.11, False),
        ({"at_least": 0.5, "at_most": 1.0}, 1.5, False),
        ({"at_least": 0.5}, float("nan"), False),
        ({"at_most": 0.5}, float("nan"), False),
    ],
)
def test_a_bound_is_held_against_the_value(bound: dict[str, float], value: float, passes: bool) -> None:
    scores = evaluation(measures={"mmd": measured(1.0), "recognised": measured(value)})
    decision = judge(scores, None, recipe(accept={"recognised": bound}))
    assert decision.promote is passes
    assert len(decision.verdicts) == len(bound)
    assert all(verdict.reason and verdict.bound is not None for verdict in decision.verdicts)


def test_a_measure_that_could_not_be_taken_fails_with_its_reason() -> None:
    scores = evaluation(unmeasured={"recognised": "needs 30 test items, there are 4"})
    decision = judge(scores, None, recipe(accept={"recognised": {"at_least": 0.1}}))
    assert not decision.promote
    assert "needs 30 test items" in decision.verdicts[0].reason
    assert "needs 30 test items" in decision.reason


def test_doubt_is_said_where_the_interval_lies_across_the_bound() -> None:
    scores = evaluation(measures={"mmd": measured(1.0), "recognised": measured(0.86)})
    [verdict] = judge(scores, None, recipe(accept={"recognised": {"at_least": 0.85}})).verdicts
    assert verdict.passed
    assert "either side" in verdict.reason


def test_without_a_champion_the_gates_alone_decide() -> None:
    decision = judge(evaluation(), None, recipe())
    assert decision.promote
    assert decision.champion is None


@pytest.mark.parametrize(
    ("new", "old", "margin", "promoted"),
    [(0.9, 1.0, 0.0, True), (1.0, 1.0, 0.0, False), (1.1, 1.0, 0.0, False), (0.9, 1.0, 0.2, False), (0.7, 1.0, 0.2, True)],
)
def test_the_challenger_must_be_better_by_the_margin(new: float, old: float, margin: float, promoted: bool) -> None:
    champion = evaluation("old", measures={"mmd": measured(old)})
    challenger = evaluation(measures={"mmd": measured(new)})
    decision = judge(challenger, champion, recipe(promotion={"margin": margin}), champion_version=3)
    assert decision.promote is promoted
    assert decision.champion == 3
    assert decision.champion_evaluation == champion
    assert decision.verdicts[-1].name == COMPARISON


def test_a_measure_that_is_better_when_higher_is_compared_the_other_way() -> None:
    low, high = (
        evaluation(model, compared_by="chrf", measures={"chrf": measured(value)}) for model, value in (("a", 1.0), ("b", 2.0))
    )
    assert judge(high, low, recipe()).promote
    assert not judge(low, high, recipe()).promote


def test_it_says_whether_the_gain_may_be_chance() -> None:
    champion = evaluation("old", measures={"mmd": measured(1.0)})
    close = judge(evaluation(measures={"mmd": measured(0.95)}), champion, recipe())
    far = judge(evaluation(measures={"mmd": measured(0.5)}), champion, recipe())
    assert close.promote
    assert "may be chance" in close.verdicts[-1].reason
    assert "do not overlap" in far.verdicts[-1].reason


@pytest.mark.parametrize("field", ["evaluation_set", "code"])
def test_unlike_evaluations_are_not_compared(field: str) -> None:
    champion = evaluation("old", measures={"mmd": measured(9.0)}, **{field: "other"})
    decision = judge(evaluation(), champion, recipe())
    assert not decision.promote
    assert "do not compare" in decision.reason


def test_a_champion_that_could_not_be_measured_is_not_beaten() -> None:
    champion = evaluation("old", measures={}, unmeasured={"mmd": "it makes content of another kind"})
    decision = judge(evaluation(), champion, recipe())
    assert not decision.promote
    assert "another kind" in decision.reason


def test_the_champions_own_weights_are_nothing_to_promote() -> None:
    decision = judge(evaluation("same"), evaluation("same"), recipe(), champion_version=1)
    assert not decision.promote
    assert "nothing to promote" in decision.reason


def test_a_failed_gate_refuses_even_what_beats_the_champion() -> None:
    champion = evaluation("old", measures={"mmd": measured(5.0)})
    decision = judge(evaluation(), champion, recipe(accept={"mmd": {"at_most": 0.5}}))
    assert not decision.promote
    assert [verdict.passed for verdict in decision.verdicts] == [False, True]


def test_a_challenger_that_has_surely_forgotten_is_refused() -> None:
    def covering(value: float, model: str = "new") -> Evaluation:
        return evaluation(model, measures={"coverage": measured(value, 0.05)})

    worse = remembers(covering(0.5), covering(0.9, "old"))
    assert not worse.passed
    assert "it has forgotten some of it" in worse.reason
    assert remembers(covering(0.83), covering(0.9, "old")).passed  # by less than a tenth
    same = remembers(covering(0.88), covering(0.9, "old"))
    assert same.passed
    unknown = remembers(evaluation(measures={}, unmeasured={"coverage": "too few"}), covering(0.9, "old"))
    assert not unknown.passed
    assert "too few" in unknown.reason
    better = evaluation(measures={"mmd": measured(0.5)})
    assert judge(better, evaluation("old"), recipe(), champion_version=1, memory=same).promote
    refused = judge(better, evaluation("old"), recipe(), champion_version=1, memory=worse)
    assert not refused.promote
    assert "forgotten" in refused.reason


def test_earlier_texts_are_asked_of_by_their_own_measure() -> None:
    old, worse, near = (
        evaluation(model, compared_by="bits_per_byte", measures={"bits_per_byte": measured(value)})
        for model, value in (("old", 1.5), ("new", 2.0), ("new", 1.55))
    )
    assert not remembers(worse, old).passed
    assert remembers(near, old).passed


def test_a_champion_that_has_to_go_need_not_be_beaten() -> None:
    poorer = evaluation(measures={"mmd": measured(5.0)})
    assert not judge(poorer, evaluation("old"), recipe(), champion_version=1).promote
    decision = judge(poorer, evaluation("old"), recipe(), champion_version=1, retired="it saw what it must not")
    assert decision.promote
    assert "it saw what it must not" in decision.reason
    bad = recipe(accept={"mmd": {"at_most": 2.0}})
    assert not judge(poorer, evaluation("old"), bad, champion_version=1, retired="it saw what it must not").promote
