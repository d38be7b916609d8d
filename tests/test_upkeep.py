"""A model kept current by a real `genwright up`: new files, a retraining, a new champion; and what may go wrong meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import psutil
import pytest
import yaml
from PIL import Image

from genwright.adapters.mlflow import connection
from genwright.adapters.mlflow.registry import Registry
from genwright.adapters.prefect import server
from genwright.core.workspace import Workspace
from genwright.lifecycle.servers import Services, running
from genwright.recipes.edit import put
from tests.web import webhook
from tests.workspaces import founded, genwright

pytestmark = [pytest.mark.long(minutes=14), pytest.mark.timeout(900)]
RECIPE: dict[str, Any] = {
    "name": "shapes",
    "content": {"kind": "image", "size": [8, 8], "channels": 1},
    "sources": [{"kind": "folder", "path": "inbox"}],
    "cleaning": ["corrupt", "exact_duplicates"],
    "split": {"validation": 0.2, "test": 0.3},
    "select": {"families": ["vae"], "dials": [0.25], "budget": {"steps": 30}},
    "train": {"budget": {"steps": 120}, "rounds": 1, "batch_size": 16, "evaluate": 2},
    "samples": 64,
    "watch": {"every": "30s", "triggers": [{"kind": "new_items", "share": 0.2}]},
}


def pictures(folder: Path, kind: int, n: int = 120) -> None:
    """`n` noisy pictures with the bright bar of their kind."""
    random = np.random.default_rng(kind)
    folder.mkdir(exist_ok=True)
    for place in range(n):
        picture = random.integers(0, 40, (8, 8), dtype=np.uint8)
        picture[kind * 2 : kind * 2 + 2, :] += 200
        Image.fromarray(picture).save(folder / f"{kind}-{place:03d}.png")


def ask(method: str, address: str, body: Any = None) -> Any:
    """What Prefect's server answers; asked again, as Prefect's own clients do, where its SQLite database was busy."""
    for patience in range(5, -1, -1):
        try:
            answer = httpx.request(method, address, json=body, timeout=30)
            if answer.status_code < 500 or not patience:
                return answer.raise_for_status().json()
        except httpx.TransportError:
            if not patience:
                raise
        time.sleep(1)
    return None


class Studio:
    """A workspace, its command line, and a `genwright up` in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.workspace = root, Workspace(root)
        self.environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(root), "GENWRIGHT_THREADS": "1"}
        self.process: subprocess.Popen[bytes] | None = None

    def genwright(self, *arguments: str) -> str:
        done = genwright(self.root, *arguments, limit=300, **self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> Services:
        with (self.root / "up.out").open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "genwright", "up"], env=self.environment, cwd=self.root, stdout=out, stderr=out
            )
        return self.until(lambda: running(self.workspace), "up", 90)

    def until(self, found: Callable[[], Any], what: str, seconds: float = 180) -> Any:
        end = time.monotonic() + seconds
        while not (result := found()):
            assert time.monotonic() < end, f"{what} did not come; the log ends:\n{self.log()[-4000:]}"
            assert self.process is None or self.process.poll() is None, (self.root / "up.out").read_text()
            time.sleep(0.5)
        return result

    def log(self) -> str:
        path = self.workspace.state / "logs" / "up.log"
        return path.read_text() if path.is_file() else ""

    def champion(self) -> int | None:
        champion = Registry(self.workspace).champion("shapes")
        return champion.version if champion else None

    def worker(self) -> psutil.Process:
        assert self.process is not None
        found = [p for p in psutil.Process(self.process.pid).children() if "genwright.flows.serve" in p.cmdline()]
        return found[0]

    def run_deployment(self, name: str) -> None:
        services = running(self.workspace)
        assert services is not None
        there = ask("GET", f"{services.prefect_api}/deployments/name/{name}")
        ask("POST", f"{services.prefect_api}/deployments/{there['id']}/create_flow_run", {})

    def runs_in_database(self) -> list[tuple[str, str]]:
        """Name and kind of state of every retraining, also while nothing is up."""
        wanted = """select flow_run.name, flow_run.state_type from flow_run
            join flow on flow.id = flow_run.flow_id where flow.name = 'retrain'"""
        with closing(sqlite3.connect(self.workspace.state / "prefect" / "prefect.db")) as database:
            return database.execute(wanted).fetchall()

    def runs(self, flow: str = "retrain") -> list[dict[str, Any]]:
        services = running(self.workspace)
        assert services is not None
        wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_DESC"}
        found: list[dict[str, Any]] = ask("POST", f"{services.prefect_api}/flow_runs/filter", wanted)
        return found


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    pictures(tmp_path / "inbox", 0)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "shapes.yaml").write_text(yaml.safe_dump(RECIPE))
    made = Studio(founded(tmp_path))
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.terminate()
        made.process.wait(60)


def names(runs: list[dict[str, Any]]) -> list[str]:
    return [run["name"] for run in runs]


def test_new_files_lead_to_a_new_champion_without_a_hand(studio: Studio) -> None:
    with webhook() as (address, told):
        studio.environment["GENWRIGHT_WEBHOOK"] = address
        without_a_hand(studio, lambda: [m["name"] for m in told if m["event"] == "genwright.model.promoted"])
    assert "very-secret" not in studio.log()


def without_a_hand(studio: Studio, told: Callable[[], list[str]]) -> None:
    services = studio.up()
    assert json.loads(studio.genwright("run", "shapes", "--json"))["champion"] == 1

    # New files, and nothing else: watch, event, one retraining, gate, champion.
    pictures(studio.root / "inbox", 1)
    studio.until(lambda: studio.champion() == 2, "the second champion")
    studio.until(lambda: "shapes: promoted" in names(studio.runs()), "the end of the retraining", 60)
    assert names(studio.runs()).count("shapes: promoted") == 1
    made = json.loads(studio.genwright("generate", "shapes", "-n", "2", "--out", "out", "--json"))
    assert made["model"]["version"] == 2
    assert "new_items" in studio.log()

    studio.genwright("rollback", "shapes", "--why", "to see it work")
    assert studio.champion() == 1

    # A person is asked, and answers through Prefect's own API.
    put(studio.root / "recipes" / "shapes.yaml", "promotion", {"policy": "approval", "timeout": "10m"})
    pictures(studio.root / "inbox", 2)
    paused = studio.until(lambda: [r for r in studio.runs() if r["state"]["type"] == "PAUSED"], "the question")
    assert studio.champion() == 1
    answer = {"run_input": {"decision": "approve", "why": "looks right", "who": "ada"}}
    ask("POST", f"{services.prefect_api}/flow_runs/{paused[0]['id']}/resume", answer)
    studio.until(lambda: studio.champion() == 3, "the approved champion")
    last = Registry(studio.workspace).ledger("shapes").entries()[-1]
    assert (last.what, last.who, last.after) == ("promoted", "ada", 3)
    assert "looks right" in last.why

    # kill -9 of the worker and its run in the middle of training.
    put(studio.root / "recipes" / "shapes.yaml", "promotion", None)
    put(studio.root / "recipes" / "shapes.yaml", "train", {**RECIPE["train"], "budget": {"steps": 3000}, "evaluate": 30})
    pictures(studio.root / "inbox", 3)
    runs = studio.workspace.state / "runs"
    studio.until(lambda: list(runs.glob("*/round-1/checkpoints/0*")), "training")
    worker = studio.worker()
    for process in [worker, *worker.children(recursive=True)]:
        os.kill(process.pid, signal.SIGKILL)
    ledger = Registry(studio.workspace).ledger("shapes")
    judged = studio.until(lambda: [e for e in ledger.entries() if e.after == 4], "the end of the run that was taken up", 240)
    assert judged[-1].what in ("promoted", "refused")  # 3,000 steps may or may not draw better than 120
    assert re.search(r"worker \| +train  round 1 .*", studio.log())
    assert "CRASHED" in [run["state"]["type"] for run in studio.runs()]

    promoted = [entry for entry in ledger.entries() if entry.what == "promoted"]
    assert len(promoted) >= 3
    studio.until(lambda: told() == ["shapes"] * len(promoted), "the news of every promotion", 60)
    family = psutil.Process(studio.process.pid).children(recursive=True)  # type: ignore[union-attr]
    studio.process.terminate()  # type: ignore[union-attr]
    assert studio.process.wait(60) == 0  # type: ignore[union-attr]
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive


def test_a_burst_of_events_leads_to_one_retraining(studio: Studio) -> None:
    put(studio.root / "recipes" / "shapes.yaml", "watch", None)
    services = studio.up()
    studio.genwright("run", "shapes")
    pictures(studio.root / "inbox", 1)
    resource = {"prefect.resource.id": "genwright.recipe.shapes", "prefect.resource.name": "shapes"}
    event = {"event": "genwright.retrain", "resource": resource, "payload": {"why": "a burst"}}
    events = [{**event, "id": str(uuid4()), "occurred": datetime.now(UTC).isoformat()} for _ in range(100)]
    httpx.post(f"{services.prefect_api}/events", json=events, timeout=60).raise_for_status()
    studio.until(lambda: set(names(studio.runs())) & {"shapes: promoted", "shapes: refused"}, "the end of the retraining")
    studio.until(lambda: "more requests to retrain" in studio.log(), "the merging")
    assert "99 more requests to retrain shapes are merged into this one" in studio.log()
    assert len(studio.runs()) == 1
    assert studio.runs()[0]["parameters"]["why"] == "a burst"
    assert len(Registry(studio.workspace).versions.of("shapes")) == 2

    # A person asks, on the command line, for another one.
    asked = json.loads(studio.genwright("retrain", "shapes", "--why", "by hand", "--json"))
    assert not asked["merged"]
    studio.until(lambda: [r for r in studio.runs() if r["id"] == asked["flow_run"] and r["state"]["type"] == "COMPLETED"], "it")
    assert "by hand" in studio.log()
    assert studio.log().count("are merged into") == 1  # it does not stand for the burst as well


def test_what_may_call_for_a_retraining_is_measured_and_told(studio: Studio) -> None:
    triggers = ["drift", "quality", {"kind": "age", "limit": "1s"}]
    put(studio.root / "recipes" / "shapes.yaml", "watch", {"every": "1h", "triggers": triggers})
    put(studio.root / "recipes" / "shapes.yaml", "train", {**RECIPE["train"], "budget": {"steps": 600}})
    services = studio.up()
    studio.genwright("run", "shapes")
    pictures(studio.root / "inbox", 3)
    studio.run_deployment("watch/shapes")
    wanted = {"filter": {"event": {"prefix": ["genwright.watch."]}, "occurred": {"since": "2020-01-01T00:00:00Z"}}}
    found = lambda: ask("POST", f"{services.prefect_api}/events/filter", wanted)["events"]  # noqa: E731
    studio.until(lambda: len({event["event"] for event in found()}) == 3, "three events")
    told = {event["event"].rpartition(".")[2]: event["payload"]["why"] for event in found()}
    assert "loss is" in told["drift"]
    assert "mmd is" in told["quality"]
    assert "days are allowed" in told["age"]
    studio.until(lambda: [run for run in studio.runs() if run["parameters"]["why"] in told.values()], "a retraining")


def test_slots_that_were_missed_are_made_up_for_once(studio: Studio) -> None:
    put(studio.root / "recipes" / "shapes.yaml", "watch", None)
    studio.up()
    studio.genwright("run", "shapes")
    studio.genwright("schedule", "shapes", "15s")
    studio.until(lambda: "shapes: nothing new" in names(studio.runs()), "a retraining on schedule")
    listed = json.loads(studio.genwright("schedules", "--json"))
    assert (listed[0]["schedule"], listed[0]["served"]) == ("every 15s", True)
    studio.genwright("down")
    assert studio.process is not None
    assert studio.process.wait(30) == 0
    ended = len([run for run in studio.runs_in_database() if run[1] == "COMPLETED"])
    time.sleep(40)  # two slots and more
    studio.genwright("schedule", "shapes", "--pause")
    studio.up()
    studio.until(lambda: "a slot was missed" in str(studio.runs()), "the run that makes up for them")
    studio.until(lambda: names(studio.runs()).count("shapes: merged") >= 2, "the merged slots")
    time.sleep(20)
    made_up = [run for run in studio.runs() if run["state"]["type"] == "COMPLETED"]
    assert len(made_up) == ended + 1
    assert len(Registry(studio.workspace).versions.of("shapes")) == 1  # the same slot, or another: nothing was new


def test_a_server_that_dies_comes_back_and_a_worker_that_cannot_live_is_told(studio: Studio) -> None:
    hostile = studio.root / "hostile"
    hostile.mkdir()
    broken = 'import sys\nif "genwright.flows.serve" in sys.orig_argv: raise SystemExit("the worker cannot be")\n'
    (hostile / "sitecustomize.py").write_text(broken)
    studio.environment["PYTHONPATH"] = str(hostile)
    services, screen = studio.up(), studio.root / "up.out"
    studio.until(lambda: "2 times in a row" in screen.read_text(), "the news of the worker")
    assert re.search(
        r"the worker ended after \d s \(2 times in a row\): .*the worker cannot be.* again in 6 s", screen.read_text()
    )
    (hostile / "sitecustomize.py").unlink()
    studio.until(lambda: "serve  shapes" in studio.log(), "the worker")

    for name, silent in (
        ("prefect", lambda: server.answers(services.prefect_api)),
        ("mlflow", lambda: connection.answers(services.mlflow)),
    ):
        family = psutil.Process(studio.process.pid).children()  # type: ignore[union-attr]
        died = next(one for one in family if name in one.cmdline())
        for process in [died, *died.children(recursive=True)]:
            process.kill()
        studio.until(lambda name=name: f"the {name} server ended" in screen.read_text(), "the news")
        studio.until(lambda silent=silent: silent() is None, name)
    assert running(studio.workspace) == services
    studio.genwright("retrain", "shapes", "--why", "after all that")
    studio.until(lambda: studio.champion() == 1, "the champion")


def test_a_second_up_says_that_one_is_running_and_a_killed_one_is_taken_up(studio: Studio) -> None:
    put(studio.root / "recipes" / "shapes.yaml", "watch", None)
    services = studio.up()
    second = subprocess.run(
        [sys.executable, "-m", "genwright", "up"], env=studio.environment, cwd=studio.root, capture_output=True, text=True
    )
    assert second.returncode == 1
    assert services.prefect in second.stderr
    assert "genwright down" in second.stderr
    put(studio.root / "recipes" / "shapes.yaml", "train", {**RECIPE["train"], "budget": {"steps": 1200}, "evaluate": 30})
    studio.until(lambda: "serve  shapes" in studio.log(), "the worker")
    studio.genwright("retrain", "shapes", "--why", "to be killed")
    studio.until(lambda: list((studio.workspace.state / "runs").glob("*/round-1/checkpoints/0*")), "training")
    family = psutil.Process(studio.process.pid).children(recursive=True)  # type: ignore[union-attr]
    studio.process.kill()  # type: ignore[union-attr]
    studio.process.wait()  # type: ignore[union-attr]
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, [process.cmdline() for process in alive]
    assert running(studio.workspace) is None
    studio.up()  # what the killed one left is in nobody's way, and is taken up
    studio.until(lambda: studio.champion() == 1, "the champion")
    studio.until(lambda: "shapes: promoted" in names(studio.runs()), "the end of the retraining", 30)
    assert [run["name"] for run in studio.runs() if run["state"]["type"] != "CRASHED"] == ["shapes: promoted"]
