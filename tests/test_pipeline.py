"""The whole pipeline as a user runs it, with the real Prefect, DVC and MLflow, on made data from a folder."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from genwright.data.split import Splitting
from tests.workspaces import PICTURES, fill, genwright, outcome, write

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("team_server")]


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A workspace with labelled pictures and their recipe."""
    fill(tmp_path / "shapes", "image", 150, kinds=3)
    write(tmp_path, PICTURES)
    return tmp_path


def test_a_recipe_goes_in_and_a_promoted_model_comes_out(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL")  # with a server of its own, as on a laptop
    first = outcome(genwright(shapes, "run", "shapes", "--json"))
    assert first["promoted"]
    assert first["champion"] == first["version"] == 1
    assert first["steps_trained"] > 0
    assert Path(first["report"]).stat().st_size > 1000
    assert Path(first["samples"]).is_file()

    with closing(sqlite3.connect(shapes / ".genwright" / "prefect" / "prefect.db")) as database:
        logged = "\n".join(message for (message,) in database.execute("select message from log"))
    for sentence in ("select: heat 1 of 2", "evaluate: on ", "promote: shapes version 1 promoted"):
        assert sentence in logged  # what Prefect's page shows of the run

    made = genwright(shapes, "generate", "shapes", "-n", "3", "--label", "kind1", "--out", "out")
    assert made.returncode == 0, made.stderr
    assert len(list((shapes / "out").glob("sample-*.png"))) == 3

    again = genwright(shapes, "run", "shapes")
    assert again.returncode == 0, again.stderr
    assert "Nothing was trained: same recipe, same data" in again.stdout

    # Another file: another data version, and a run that is linked to it.
    split = Splitting(validation=0.2, test=0.3)
    files = sorted((shapes / "shapes").rglob("*.png"))
    next(f for f in files if split.side(hashlib.sha256(f.read_bytes()).hexdigest()) == "train").unlink()
    changed = outcome(genwright(shapes, "run", "shapes", "--json"), judged=True)
    assert changed["data"] != first["data"]
    assert changed["steps_trained"] > 0
    assert changed["version"] == 2
    versions = json.loads(genwright(shapes, "data", "list", "shapes", "--json").stdout)
    assert [v["digest"] for v in versions] == [first["data"], changed["data"]]


@pytest.mark.long
def test_what_changed_decides_what_runs_again(shapes: Path) -> None:
    first = outcome(genwright(shapes, "run", "shapes", "--json"))
    stages = shapes / "data" / "shapes"
    before = {stage: (stages / stage).stat().st_mtime_ns for stage in ("raw", "clean")}
    trained = outcome(genwright(shapes, "run", "shapes", "--json", "--set", "train.seed=1"), judged=True)
    assert trained["data"] == first["data"]
    assert trained["steps_trained"] > 0
    assert before == {stage: (stages / stage).stat().st_mtime_ns for stage in ("raw", "clean")}
    cleaned = outcome(genwright(shapes, "run", "shapes", "--json", "--set", "split.test=0.35"), judged=True)
    assert cleaned["data"] != first["data"]
    assert (stages / "raw").stat().st_mtime_ns == before["raw"]


@pytest.mark.long
def test_sequences_run_through_the_same_flow(tmp_path: Path) -> None:
    fill(tmp_path / "files", "text", 60)
    content = {"kind": "text", "vocab": 300, "length": 32}
    sources = [{"kind": "folder", "path": "files"}]
    write(tmp_path, {**PICTURES, "name": "words", "content": content, "condition": None, "sources": sources})
    done = outcome(genwright(tmp_path, "run", "words", "--json"))
    assert done["promoted"]
    assert "bits_per_byte" in done["evaluation"]["measures"]
    made = genwright(tmp_path, "generate", "words", "-n", "2", "--out", "out", "--json")
    assert made.returncode == 0, made.stderr
    assert len(list((tmp_path / "out").glob("sample-*.txt"))) == 2


@pytest.mark.long
def test_pairs_of_texts_run_through_the_same_flow(tmp_path: Path) -> None:
    fill(tmp_path / "pairs", "text", 120)  # a fifth and more held out: enough for chrF to say something
    for place, file in enumerate(sorted((tmp_path / "pairs").glob("*.txt"))):
        file.with_suffix(".src").write_text(f"@sentence number {place}")
    part = {"kind": "text", "vocab": 300, "length": 32}
    source = {"kind": "folder", "path": "pairs", "include": ["*.txt"], "captions": ".src"}
    write(tmp_path, {**PICTURES, "name": "pairs", "content": part, "condition": part, "sources": [source]})
    done = outcome(genwright(tmp_path, "run", "pairs", "--json"))
    assert done["promoted"]
    assert "chrf" in done["evaluation"]["measures"]
    assert re.match(r"--- 1 ---\n@sentence number \d+\n---\n", Path(done["samples"]).read_text())  # each under its question
    made = json.loads(
        genwright(tmp_path, "generate", "pairs", "-n", "2", "--prompt", "what\nnow", "--out", "out", "--json").stdout
    )
    assert set(made["asked"].values()) == {"what now"}
    outcome(genwright(tmp_path, "run", "pairs", "--json", "--set", "train.seed=1"), judged=True)
    page = Path(genwright(tmp_path, "diff", "pairs", "1", "2").stdout.strip()).read_text()
    assert len(re.findall(r"<pre>@sentence number \d+</pre>", page)) == 4  # held-out questions, as the recipe names none
    assert "needs" not in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--set", "trian.seed=1"], "did you mean 'train'"),
        (["--set", "sources.0.path=nowhere"], "nowhere"),
        (["--set", "sources.0.include=['*.xyz']"], "xyz"),
        (["--set", "limits.minutes_per_run=2", "--set", "train.budget={minutes: 5}"], "limits.minutes_per_run"),
    ],
)
def test_bad_input_gets_an_answer_and_promotes_nothing(shapes: Path, change: list[str], said: str) -> None:
    done = genwright(shapes, "run", "shapes", *change)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert genwright(shapes, "generate", "shapes").returncode == 1


@pytest.mark.long
def test_too_little_data_and_a_deaf_mlflow_are_said(shapes: Path) -> None:
    for file in sorted((shapes / "shapes").rglob("*.png"))[6:]:
        file.unlink()
    few = genwright(shapes, "run", "shapes")
    assert few.returncode == 1
    assert "Traceback" not in few.stderr
    fill(shapes / "shapes", "image", 90, kinds=3)
    deaf = genwright(shapes, "run", "shapes", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert deaf.returncode == 1
    assert "MLflow does not answer" in deaf.stderr
    assert "Traceback" not in deaf.stderr


@pytest.mark.long
def test_what_cannot_be_measured_or_is_not_good_enough_is_not_promoted(shapes: Path) -> None:
    refused = genwright(shapes, "run", "shapes", "--json", "--set", "accept={coverage: {at_least: 1.1}}")
    assert refused.returncode == 3, refused.stderr
    assert json.loads(refused.stdout)["champion"] is None
    assert genwright(shapes, "generate", "shapes").returncode == 1
