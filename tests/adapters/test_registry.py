"""Versions and the champion: registered once, verified, promoted and rolled back under a lock, or refused."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genwright.adapters.mlflow.registry import Registry
from genwright.adapters.mlflow.runs import Runs
from genwright.core import stored
from genwright.core.durable import sha256
from genwright.core.errors import GenwrightError, ModelError, ServiceError
from genwright.core.workspace import Workspace
from genwright.models import bundle
from genwright.models.records import ModelVersion
from genwright.sampling.model import Model
from tests import registered
from tests.workspaces import migrated


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return registered.workspace(tmp_path / "workspace")


@pytest.fixture
def registry(workspace: Workspace) -> Registry:
    return Registry(workspace)


def files_of(workspace: Workspace, version: ModelVersion) -> Path:
    """The bundle of a version in the artifact store."""
    [folder] = [
        manifest.parent
        for manifest in workspace.state.glob("mlartifacts/*/models/*/artifacts/artifacts/bundle/manifest.json")
        if sha256(manifest.parent / bundle.WEIGHTS) == version.weights
    ]
    return folder


def test_a_version_is_linked_to_weights_data_recipe_and_run(registry: Registry, workspace: Workspace) -> None:
    version = registered.register(workspace)
    assert (version.name, version.version) == ("digits", 1)
    assert version.weights == registered.trained(0).weights
    assert version.data == registered.DATA
    assert registry.versions.tags(version)["test.mmd"] == "1"
    assert registry.mlflow.client.get_run(version.run).data.tags["genwright.weights"] == version.weights
    assert registry.champion("digits") is None


def test_the_same_weights_data_and_recipe_are_one_version(registry: Registry, workspace: Workspace) -> None:
    first = registered.register(workspace)
    assert registered.register(workspace) == first
    assert registered.register(workspace, seed=1).version == 2
    assert [version.version for version in registry.versions.of("digits")] == [1, 2]


def test_weights_other_than_those_trained_are_not_registered(workspace: Workspace, tmp_path: Path) -> None:
    wrong = shutil.copytree(registered.bundle(1), tmp_path / "wrong")
    registry, runs, model = Registry(workspace), Runs(workspace), registered.trained(0)
    run = runs.round_run("digits", runs.parent_run("digits", "a" * 64), model.plan)
    with pytest.raises(ModelError, match="not those that were trained"):
        registry.versions.register("digits", wrong, run=run, facts=registered.facts(0), evaluation=registered.evaluation(0))
    assert registry.versions.names() == []


def test_what_is_logged_is_code_safetensors_and_json(workspace: Workspace) -> None:
    model = files_of(workspace, registered.register(workspace)).parents[1]
    suffixes = {path.suffix for path in model.rglob("*") if path.is_file()}
    assert suffixes == {"", ".py", ".safetensors", ".json", ".txt", ".yaml"}
    described = (model / "MLmodel").read_text()
    assert '"name": "seed"' in described
    assert "genwright==" in (model / "requirements.txt").read_text()


def test_mlflow_itself_can_load_and_ask_the_model(registry: Registry, workspace: Workspace) -> None:
    import mlflow
    import pandas as pd  # type: ignore[import-untyped]

    place = files_of(workspace, registered.register(workspace)).parents[1]
    model = mlflow.pyfunc.load_model(str(place))
    asked = pd.DataFrame({"condition": ["blue", None]})
    answers = [model.predict(asked, params={"n": 2, "seed": seed}) for seed in (7, 7, 8)]
    assert list(answers[0]["row"]) == [0, 0, 1, 1]
    assert set(answers[0]["media_type"]) == {"image/png"}
    assert answers[0].equals(answers[1])
    assert not answers[0].equals(answers[2])


def test_a_download_is_verified_and_kept(registry: Registry, workspace: Workspace) -> None:
    version = registered.register(workspace)
    folder = registry.versions.download(version)
    assert sha256(folder / bundle.WEIGHTS) == version.weights
    shutil.rmtree(files_of(workspace, version))
    assert registry.versions.download(version) == folder  # what is here and whole is enough to go on
    (folder / bundle.INFO).write_text("{}")
    with pytest.raises(ModelError, match="cannot be fetched"):
        registry.versions.download(version)


def swapped(folder: Path) -> None:
    """Another model's files, whole in themselves."""
    shutil.rmtree(folder)
    shutil.copytree(registered.bundle(1), folder)


def flipped(folder: Path) -> None:
    data = bytearray((folder / bundle.WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / bundle.WEIGHTS).write_bytes(bytes(data))


def reconfigured(folder: Path) -> None:
    """Another sampling setting, with a manifest to suit: only the registry's own record can tell."""
    info = bundle.info(folder)
    plan = info.plan.model_copy(update={"sampling": {"temperature": 0.1}})
    stored.write(folder / bundle.INFO, info.model_copy(update={"plan": plan}))
    bundle.seal(folder)


def pickled(folder: Path) -> None:
    (folder / "extra.pkl").write_bytes(b"\x80\x04.")


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


Harm = Callable[[Path], None]
HARMS = pytest.mark.parametrize("harm", [swapped, flipped, reconfigured, pickled, gone])


@HARMS
def test_altered_files_are_not_downloaded(harm: Harm, registry: Registry, workspace: Workspace) -> None:
    version = registered.register(workspace)
    harm(files_of(workspace, version))
    with pytest.raises(ModelError):
        registry.versions.download(version)
    assert not (workspace.state / "models" / "digits" / "1").exists()


@pytest.mark.parametrize("harm", [swapped, flipped, reconfigured, gone])
def test_running_again_mends_what_was_harmed(harm: Harm, registry: Registry, workspace: Workspace) -> None:
    version = registered.register(workspace)
    harm(files_of(workspace, version))
    assert registered.register(workspace) == version
    assert registered.make_champion(registry, version, expected=None, why="first").after == 1


@HARMS
def test_a_rollback_to_harmed_files_is_refused_and_the_champion_stays(
    harm: Harm, registry: Registry, workspace: Workspace
) -> None:
    first = registered.promote(workspace)
    second = registered.promote(workspace, seed=2)
    harm(files_of(workspace, first))
    with pytest.raises(ModelError, match="the champion stays"):
        registered.roll_back(registry, "it draws only fours")
    assert registry.champion("digits") == second
    assert registry.ledger("digits").entries()[-1].what == "refused"


def test_a_version_that_does_not_sample_is_not_promoted(
    registry: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genwright.models.architectures.vae import Vae

    def broken(*given: Any, **options: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    version = registered.register(workspace)
    monkeypatch.setattr(Vae, "emit", broken)
    with pytest.raises(ModelError, match="does not sample"):
        registered.make_champion(registry, version, expected=None, why="first")
    assert registry.champion("digits") is None


def test_back_and_back_again(registry: Registry, workspace: Workspace) -> None:
    for seed in range(3):
        registered.promote(workspace, seed)
    assert registry.alias("digits", "previous") == 2
    assert registered.roll_back(registry, "bad").after == 2
    assert registry.alias("digits", "previous") == 1
    assert registered.roll_back(registry, "worse").after == 1
    with pytest.raises(ModelError, match="had no champion before"):
        registered.roll_back(registry, "even worse")
    assert [e.what for e in registry.ledger("digits").entries()] == ["promoted"] * 3 + ["rolled back"] * 2
    assert Model(registry.versions.download(registry.current("digits"))).generate(2)


def test_an_alias_moved_by_other_means_is_noticed(registry: Registry, workspace: Workspace) -> None:
    registered.promote(workspace)
    second = registered.register(workspace, seed=1)
    registry.mlflow.client.set_registered_model_alias("digits", "champion", "2")
    registry.settle("digits")
    assert registry.ledger("digits").entries()[-1].what == "noticed"
    assert registered.roll_back(registry, "moved by mistake").before == second.version
    assert registry.current("digits").version == 1


def test_another_workspace_without_a_ledger_can_roll_back(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    registered.promote(workspace)
    registered.promote(workspace, seed=1)
    shutil.rmtree(workspace.state / "ledger")
    assert registered.roll_back(Registry(workspace), "bad").after == 1


def test_unknown_names_and_versions_are_answered_with_what_there_is(registry: Registry, workspace: Workspace) -> None:
    registered.register(workspace)
    with pytest.raises(ModelError, match="did you mean 'digits'"):
        registry.current("digit")
    with pytest.raises(ModelError, match="no champion") as caught:
        registry.current("digits")
    assert "genwright promote digits 1" in str(caught.value)
    with pytest.raises(ModelError, match="no version 7"):
        registry.versions.get("digits", 7)


def test_a_decision_against_an_older_champion_is_refused(registry: Registry, workspace: Workspace) -> None:
    first = registered.promote(workspace)
    second, third = registered.register(workspace, seed=1), registered.register(workspace, seed=2)
    registered.make_champion(registry, second, expected=first.version, why="better")
    with pytest.raises(ServiceError, match="another promotion came first"):
        registered.make_champion(registry, third, expected=first.version, why="better")
    assert registry.champion("digits") == second


def contend(root: Path, number: int, expected: int, start: Any, answers: Any) -> None:
    """A process that promotes at the same moment as another."""
    registry = Registry(Workspace(root))
    version = registry.versions.get("digits", number)
    start.wait(60)
    try:
        registered.make_champion(registry, version, expected=expected, why=f"version {number} is better")
        answers.put((number, "won"))
    except GenwrightError as error:
        answers.put((number, str(error)))


def test_two_promotions_at_once_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    fork = multiprocessing.get_context("fork")
    start, answers = fork.Barrier(2), fork.Queue()

    def prepare() -> None:
        workspace = registered.workspace(root)
        registered.promote(workspace)
        for seed in (1, 2):
            registered.register(workspace, seed)

    migrated()
    for seed in range(3):
        registered.trained(seed)
    # Databases are opened in children only: SQLite's connections do not survive a fork.
    maker = fork.Process(target=prepare)
    maker.start()
    maker.join(60)
    rivals = [fork.Process(target=contend, args=(root, number, 1, start, answers)) for number in (2, 3)]
    for rival in rivals:
        rival.start()
    said = dict(answers.get(timeout=60) for _ in rivals)
    for rival in rivals:
        rival.join(60)
    [winner] = [number for number, answer in said.items() if answer == "won"]
    [loser] = [number for number in said if number != winner]
    assert "another promotion came first" in said[loser]
    registry = Registry(Workspace(root))
    assert registry.current("digits").version == winner
    entries = registry.ledger("digits").entries()[1:]
    assert {(entry.what, entry.after) for entry in entries} == {("promoted", winner), ("refused", loser)}


def test_old_versions_go_but_none_that_is_needed(registry: Registry, workspace: Workspace) -> None:
    first = registered.promote(workspace)  # a champion of old: a rollback may lead to it
    loser = registered.register(workspace, seed=1)
    files = files_of(workspace, loser)
    second = registered.promote(workspace, seed=2)
    newest = registered.register(workspace, seed=3)
    registry.challenge(newest)
    gone = registry.prune("digits", 1)
    assert [version.version for version in gone] == [loser.version]
    assert not files.exists()
    assert [version.version for version in registry.versions.of("digits")] == [first.version, second.version, newest.version]
    assert registry.prune("digits", 1) == []
    assert registry.ledger("digits").entries()[-1].what == "pruned"
    assert registered.roll_back(registry, "still there").after == first.version


def test_a_ledger_cut_off_at_its_end_shows_by_the_hash_kept_in_mlflow(registry: Registry, workspace: Workspace) -> None:
    registered.promote(workspace)
    registered.promote(workspace, seed=1)
    assert registry.verify("digits") == []
    path = registry.ledger("digits").path
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert "cut off" in registry.verify("digits")[0]


def test_the_challenger_is_named_until_it_is_champion(registry: Registry, workspace: Workspace) -> None:
    version = registered.register(workspace)
    registry.challenge(version)
    assert registry.alias("digits", "challenger") == version.version
    registered.make_champion(registry, version, expected=None, why="first")
    assert registry.alias("digits", "challenger") is None
    registry.challenge(version)
    assert registry.alias("digits", "challenger") is None
