"""Cross-validation through the whole flow: nothing is measured by a model that has seen it, then or after a retraining."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genwright.adapters.mlflow.registry import Registry
from genwright.core.workspace import Workspace
from genwright.data.dataset import Dataset
from genwright.models import bundle
from tests.workspaces import PICTURES, fill, genwright, outcome, write

pytestmark = [pytest.mark.long, pytest.mark.timeout(600), pytest.mark.usefixtures("team_server")]
RECIPE = {
    **PICTURES,
    "split": {"folds": 3, "validation": 0.2},
    "select": {"families": ["vae"], "dials": [0.125], "budget": {"steps": 4}},
}


def digests(side: object) -> set[bytes]:
    return {row.tobytes() for row in side.digests}  # type: ignore[attr-defined]


def test_every_item_judges_a_model_that_has_not_seen_it(tmp_path: Path) -> None:
    fill(tmp_path / "shapes", "image", 90, kinds=2)
    write(tmp_path, RECIPE)
    first = outcome(genwright(tmp_path, "run", "shapes", "--json"))
    kept = first["evaluation"]["measures"]["mmd"]
    assert first["champion"] == 1

    workspace = Workspace(tmp_path)
    run = next(path.parent for path in (workspace.state / "runs").glob("*/run.json"))
    parts = [Dataset(workspace.clean("shapes")), Dataset(run / "fold-1" / "data"), Dataset(run / "fold-2" / "data")]
    held_out = [digests(part.test) for part in parts]
    assert (
        len(set.union(*held_out))
        == sum(map(len, held_out))
        == sum(map(len, (parts[0].train, parts[0].validation, parts[0].test)))
    )
    for part in parts:
        assert not digests(part.test) & (digests(part.train) | digests(part.validation))
    assert first["evaluation"]["measures"]["coverage"]["n"] == sum(len(part.test) for part in parts)

    registry = Registry(workspace)
    champion = registry.champion("shapes")
    assert champion is not None
    folder = registry.versions.download(champion)
    weights = {bundle.load(bundle.fold(folder, fold)).weights for fold in range(3)}
    assert len(weights) == 3
    assert champion.weights in weights

    # Nothing is trained twice, also where what was made is damaged.
    again = outcome(genwright(tmp_path, "run", "shapes", "--json"))
    assert (again["steps_trained"], again["evaluation"]["measures"]["mmd"]) == (0, kept)
    file = run / "fold-1" / "round-1" / "bundle" / bundle.WEIGHTS
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    again = outcome(genwright(tmp_path, "run", "shapes", "--json"))
    assert (again["steps_trained"], again["evaluation"]["measures"]["mmd"]) == (8, kept)

    # A retraining goes on from what has not seen the part either, and the champion is measured the same way.
    fill(tmp_path / "shapes", "image", 120, kinds=2)
    done = genwright(tmp_path, "retrain", "shapes", "--json")
    judged = outcome(done, judged=True)
    assert "none of which its own has seen" in done.stderr
    record = json.loads(next((workspace.state / "runs").glob("*/champion-1-evaluation.json")).read_text())
    assert record["evaluation_set"] == judged["evaluation"]["evaluation_set"]
    assert record["measures"]["coverage"]["n"] == judged["evaluation"]["measures"]["coverage"]["n"]

    # In other parts the two do not compare.
    write(tmp_path, {**RECIPE, "split": {"folds": 4, "validation": 0.2}})
    done = genwright(tmp_path, "run", "shapes", "--json")
    assert outcome(done, judged=True)["what"] == "refused"
    assert "it was not cross-validated in 4 parts; only a person can decide" in done.stderr
