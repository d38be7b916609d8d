"""The package as others get it: a wheel that claims one name, installed apart from this checkout, in a folder of theirs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
import yaml

from genwright.adapters.prefect.server import answers
from genwright.adapters.processes.children import free_port
from genwright.core.workspace import Workspace
from genwright.data.modalities.base import modalities
from genwright.lifecycle.servers import running

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[1]
SOURCES = ("genwright", "flows", "tasks", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
SDIST = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
RECIPE: dict[str, Any] = {
    "name": "shapes",
    "content": {"kind": "image", "size": [8, 8], "channels": 1},
    "sources": [{"kind": "folder", "path": "inbox"}],
    "split": {"validation": 0.2, "test": 0.3},
    "select": {"families": ["vae"], "dials": [0.25], "budget": {"steps": 10}},
    "train": {"budget": {"steps": 20}, "rounds": 1, "batch_size": 16, "evaluate": 2},
    "samples": 32,
    "watch": {"every": "1h", "triggers": [{"kind": "new_items", "share": 0.2}]},
}


def environment(**variables: str) -> dict[str, str]:
    """This one without anything of this checkout or of a server."""
    ours = ("PYTHONPATH", "PREFECT_", "MLFLOW_", "GENWRIGHT_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**clean, "GENWRIGHT_THREADS": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200", **variables}


def call(command: list[str | Path], folder: Path, **variables: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        command, cwd=folder, env=environment(**variables), capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def build(source: Path, out: Path) -> Path:
    """The wheel of a source tree. Nothing is downloaded."""
    call([sys.executable, "-m", "pip", "wheel", source, "--no-deps", "--no-build-isolation", "--quiet", "-w", out], out)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is made of, its links still links."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `genwright` and `python` of an environment lie that has the wheel, and sees what it depends on from this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    python = folder / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps", "--quiet"]
    call([*pip, wheel], folder)
    assert {path.name for path in packages.iterdir()} - {"genwright", "dependencies.pth"} == {named(wheel)}
    return folder / "bin"


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A folder of somebody's with pictures, and with `flows` and `tasks` of their own."""
    (tmp_path / "inbox").mkdir()
    for number, data in enumerate(modalities.get("image").fixture(150)):
        (tmp_path / "inbox" / f"{number:03d}.png").write_bytes(data)
    for name in ("flows", "tasks"):
        (tmp_path / name).mkdir()
        for module in ("__init__", "retrain", "serve", "watch", "run_name"):
            (tmp_path / name / f"{module}.py").write_text("raise SystemExit('this is not of Genwright')\n")
    return tmp_path


def write(folder: Path) -> None:
    (folder / "recipes").mkdir()
    (folder / "recipes" / "shapes.yaml").write_text(yaml.safe_dump(RECIPE))


def named(wheel: Path) -> str:
    """The folder of its metadata: name and release."""
    return "-".join(wheel.name.split("-")[:2]) + ".dist-info"


def files(wheel: Path) -> set[str]:
    return {name for name in ZipFile(wheel).namelist() if not name.endswith("/")}


def until(found: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.5)
    return result


def test_the_wheel_claims_one_name_and_holds_every_module_and_all_that_is_read(wheel: Path) -> None:
    there = files(wheel)
    assert {name.split("/")[0] for name in there} == {"genwright", named(wheel)}
    rooms = [ROOT / "genwright", *(path for path in (ROOT / "genwright").iterdir() if path.is_symlink())]
    kept = {path for room in rooms for path in room.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path.relative_to(ROOT).as_posix() for path in kept} == {name for name in there if name.startswith("genwright/")}
    assert {
        "genwright/py.typed",
        "genwright/adapters/dvc/dvc.yaml",
        "genwright/flows/serve.py",
        "genwright/tasks/run_name.py",
    } <= there


def test_a_source_distribution_gives_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    call([sys.executable, "-c", SDIST, tmp_path], source)
    archive = next(tmp_path.glob("*.tar.gz"))
    shutil.unpack_archive(archive, tmp_path, filter="data")
    assert files(build(tmp_path / archive.name.removesuffix(".tar.gz"), tmp_path)) == files(wheel)


def test_it_works_where_there_is_nothing_but_pictures(programs: Path, studio: Path) -> None:
    genwright = programs / "genwright"
    found = call([programs / "python", "-c", "import genwright; print(genwright.__file__)"], studio)
    assert Path(found.strip()).is_relative_to(programs.parent)
    assert "doctor" in call([genwright, "--help"], studio)
    checks = json.loads(call([genwright, "doctor", "--json"], studio))
    assert [check for check in checks if check["state"] == "problem"] == []
    call([genwright, "new", "shapes", "--from", "inbox"], studio)
    less = {key: RECIPE[key] for key in ("select", "train", "samples")} | {"accept": {}}
    settings = [part for key, value in less.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    outcome = json.loads(call([genwright, "run", "shapes", "--json", *settings], studio))
    assert outcome["champion"] == 1
    assert "<html" in Path(outcome["report"]).read_text()
    call([genwright, "generate", "shapes", "-n", "2", "--out", "samples"], studio)
    assert len(list((studio / "samples").glob("sample-*.png"))) == 2


@contextmanager
def started(command: list[str | Path], folder: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program for the length of the block; what it says goes to a file."""
    with (folder / "said.txt").open("w") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment(**variables), stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_up_retrains_beside_flows_of_others(programs: Path, studio: Path) -> None:
    genwright, log = programs / "genwright", studio / ".genwright" / "logs" / "up.log"
    write(studio)
    with started([genwright, "up"], studio) as up:
        until(lambda: running(Workspace(studio)), "up")
        until(lambda: "serve  shapes" in log.read_text(), "the worker")
        call([genwright, "retrain", "shapes", "--why", "by hand"], studio)
        until(lambda: "shapes version 1 promoted" in log.read_text(), "a champion")
        call([genwright, "down"], studio)
        assert up.wait(60) == 0


def test_a_worker_of_prefect_elsewhere_retrains_by_what_prefect_yaml_says(programs: Path, studio: Path) -> None:
    write(studio)
    call([programs / "genwright", "schedules", "--prefect-yaml"], studio)
    port = free_port()
    there = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_HOME": str(studio / "prefect")}
    prefect: list[str | Path] = [programs / "python", "-m", "prefect", "--no-prompt"]
    with started(
        [*prefect, "server", "start", "--port", str(port), "--no-services"], studio, PREFECT_HOME=there["PREFECT_HOME"]
    ):
        until(lambda: answers(there["PREFECT_API_URL"]) is None, "Prefect")
        call([*prefect, "work-pool", "create", "genwright", "--type", "process"], studio, **there)
        call([*prefect, "deploy", "--all"], studio, **there)
        call([*prefect, "deployment", "run", "retrain/shapes", "--param", "why=elsewhere"], studio, **there)
        call([*prefect, "worker", "start", "--pool", "genwright", "--run-once"], programs, **there)
        runs = httpx.post(f"{there['PREFECT_API_URL']}/flow_runs/filter", json={}, timeout=60).json()
        assert [(run["name"], run["state"]["type"], run["parameters"]["why"]) for run in runs] == [
            ("shapes: promoted", "COMPLETED", "elsewhere")
        ]
