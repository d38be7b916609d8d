"""Register, gate and promote as the flow calls them, on a run with real measures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from genwright import __version__
from genwright.adapters.mlflow.registry import GATE, Registry
from genwright.adapters.mlflow.runs import Runs
from genwright.commands.approve import answer
from genwright.core.errors import ModelError
from genwright.core.record import Part
from genwright.core.who import person
from genwright.core.workspace import Settings, Workspace
from genwright.data.dataset import Dataset
from genwright.data.records import DatasetVersion
from genwright.evaluation.evaluate import evaluate, evaluation_set
from genwright.lifecycle.records import Approval, Decision, Promoted
from genwright.lifecycle.run import Run
from genwright.models.records import ModelVersion
from genwright.tasks.approve import approve
from genwright.tasks.gate import gate
from genwright.tasks.promote import promote
from genwright.tasks.register import register
from tests import made, registered


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return registered.workspace(tmp_path / "workspace")


def run_of(workspace: Workspace, **recipe: object) -> Run:
    """A run of that recipe on made pictures."""
    folder = workspace.root / "data" / "digits" / "clean"
    data = made.pictures(folder) if not folder.exists() else Dataset(folder)
    version = DatasetVersion(recipe="digits", digest=registered.DATA, path="data/digits/clean", contents=data.contents)
    settings = Settings(workspace=workspace.root, threads=1, device="cpu")
    parsed = registered.recipe(**recipe)
    return Run(parsed, parsed.members[0], version, workspace, settings)


def stages(run: Run, seed: int = 0) -> tuple[ModelVersion, Decision, Promoted]:
    """The last three stages with the model of that seed as the best round."""
    model, runs = registered.trained(seed), Runs(run.workspace)
    folder = run.round(model.plan) / "bundle"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(registered.bundle(seed), folder)
    scores = evaluate(folder, run.dataset, run.member.evaluation, run.settings)
    parent = runs.parent_run("digits", run.identity)
    nested = runs.round_run("digits", parent, model.plan)
    version = register.fn(run, model, scores, nested)
    decision = gate.fn(run, version, scores)
    return version, decision, promote.fn(run, version, decision)


def test_the_first_that_passes_is_champion_and_a_repeat_changes_nothing(workspace: Workspace) -> None:
    run = run_of(workspace)
    version, decision, outcome = stages(run)
    assert (outcome.what, outcome.champion) == ("promoted", version.version)
    again, decision, outcome = stages(run)
    assert again == version
    assert "same weights" in decision.reason
    assert outcome.what == "champion already"
    assert len(Registry(workspace).ledger("digits").entries()) == 1


def test_a_challenger_is_held_against_the_champion_on_the_same_items(workspace: Workspace) -> None:
    stages(run_of(workspace))
    version, decision, outcome = stages(run_of(workspace, train={"seed": 1}), seed=1)
    assert decision.champion == 1
    assert decision.champion_evaluation is not None
    assert decision.champion_evaluation.model == registered.trained(0).weights
    assert decision.promote is (outcome.what == "promoted") is (outcome.champion == version.version)
    mine, theirs = decision.verdicts[-1].value, decision.verdicts[-1].bound
    assert mine is not None
    assert theirs is not None
    assert decision.promote is (mine < theirs)


def test_what_fails_its_gate_is_refused_once_in_the_ledger(workspace: Workspace) -> None:
    run = run_of(workspace, accept={"mmd": {"at_most": 0.0001}})
    for _ in range(2):
        version, decision, outcome = stages(run)
        assert outcome.what == "refused"
        assert outcome.champion is None
    registry = Registry(workspace)
    assert registry.champion("digits") is None
    assert "at most 0.0001" in registry.versions.tags(version)[GATE]
    [entry] = registry.ledger("digits").entries()
    assert (entry.what, entry.after) == ("refused", 1)
    assert entry.verdicts == decision.verdicts


def test_a_manual_policy_waits_and_names_the_command(workspace: Workspace) -> None:
    _, decision, outcome = stages(run_of(workspace, promotion={"policy": "manual"}))
    assert decision.promote
    assert outcome.what == "waits"
    assert "genwright promote digits 1" in outcome.reason
    registry = Registry(workspace)
    assert registry.champion("digits") is None
    assert registry.versions.tags(registry.versions.get("digits", 1))[GATE] == "passed"


def test_what_a_person_rolled_back_does_not_come_back_by_itself(workspace: Workspace) -> None:
    registry = Registry(workspace)
    first = registered.promote(workspace)
    second = registered.promote(workspace, seed=1)
    registered.roll_back(registry, "it draws only fours")
    better = Decision(promote=True, verdicts=[], champion=first.version, reason="better")
    for _ in range(2):
        outcome = promote.fn(run_of(workspace), second, better)
        assert (outcome.what, outcome.champion) == ("waits", first.version)
        assert "it draws only fours" in outcome.reason
    registered.make_champion(registry, second, expected=first.version, why="it was the viewer")
    registered.roll_back(registry, "no, it was not")
    registered.make_champion(registry, second, expected=first.version, why="it was")
    assert registry.ledger("digits").withdrawn(second.version) is None


def test_a_champion_of_another_size_is_left_to_a_person(workspace: Workspace) -> None:
    registered.promote(workspace)
    folder = workspace.root / "data" / "digits" / "clean"
    made.dataset(folder, Part(kind="image", options={"size": [6, 6], "channels": 1}), condition=Part(kind="label"))
    run = run_of(workspace)
    scores = registered.evaluation(1, mmd=0.1)
    scores = scores.model_copy(
        update={"evaluation_set": evaluation_set(run.dataset, run.member.evaluation), "code": __version__}
    )
    decision = gate.fn(run, registered.register(workspace, seed=1), scores)
    assert not decision.promote
    assert "another kind or size" in decision.reason


@pytest.fixture
def asked(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, ModelVersion, Decision]:
    """A run whose version passed, and that leaves the last word to a person; no server to ask through."""
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(workspace.root))
    run = run_of(workspace, promotion={"policy": "approval"})
    version, decision, outcome = stages(run)
    assert outcome.what == "waits"
    assert "genwright approve digits" in outcome.reason
    assert approve(run, version, decision) is None
    assert Registry(workspace).ledger("digits").asked() == version.version
    return run, version, decision


def test_a_person_approves_and_the_ledger_says_who(asked: tuple[Run, ModelVersion, Decision]) -> None:
    run, version, _ = asked
    assert "champion now" in answer("digits", "approve", "crisp")
    registry = Registry(run.workspace)
    assert registry.champion("digits") == version
    entry = registry.ledger("digits").entries()[-1]
    assert (entry.what, entry.why, entry.who) == ("promoted", "crisp", person())
    with pytest.raises(ModelError, match="No version of digits waits"):
        answer("digits", "approve", "again")


def test_a_person_rejects_and_is_not_asked_again(asked: tuple[Run, ModelVersion, Decision]) -> None:
    run, version, decision = asked
    assert "rejected" in answer("digits", "reject", "blurred")
    said = approve(run, version, decision)
    assert said is not None
    assert (said.approved, said.why) == (False, "blurred")
    outcome = promote.fn(run, version, decision, said)
    assert outcome.what == "refused"
    assert "blurred" in outcome.reason
    registry = Registry(run.workspace)
    assert registry.champion("digits") is None
    assert [entry.what for entry in registry.ledger("digits").entries()] == ["asked", "rejected"]


def test_an_answer_that_did_not_come_in_time_is_a_no(asked: tuple[Run, ModelVersion, Decision]) -> None:
    run, version, decision = asked
    late = Approval(approved=False, who="genwright", why="nobody answered within 3d")
    assert promote.fn(run, version, decision, late).what == "refused"
    assert Registry(run.workspace).champion("digits") is None


def test_an_approved_version_is_promoted_in_the_name_of_who_approved(asked: tuple[Run, ModelVersion, Decision]) -> None:
    run, version, decision = asked
    outcome = promote.fn(run, version, decision, Approval(approved=True, who="ada", why="crisp"))
    assert outcome.promoted
    entry = Registry(run.workspace).ledger("digits").entries()[-1]
    assert (entry.who, entry.after) == ("ada", version.version)
    assert entry.why.startswith("crisp (")
