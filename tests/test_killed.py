"""kill -9 at random moments of the demo's flow: the same command finishes, with the same weights and one version."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from genwright.adapters.mlflow.registry import Registry
from genwright.core.workspace import Workspace
from trials.soak import kill

pytestmark = [pytest.mark.long(minutes=8), pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[1]
MOMENTS = 10
SMALL = ["select.families=[vae, diffusion]", "select.budget.steps=20", "train.budget.steps=80", "samples=64", "accept={}"]


def start(workspace: Path) -> subprocess.Popen[str]:
    (workspace / "recipes").mkdir(parents=True, exist_ok=True)
    (workspace / "recipes" / "digits.yaml").write_text((ROOT / "recipes" / "digits.yaml").read_text())
    environment = {**os.environ, "GENWRIGHT_WORKSPACE": str(workspace), "GENWRIGHT_THREADS": "1"}
    command = [sys.executable, "-m", "genwright", "run", "digits", "--json", *(f"--set={one}" for one in SMALL)]
    errors = (workspace / "errors.log").open("a")
    return subprocess.Popen(command, env=environment, cwd=workspace, stdout=subprocess.PIPE, stderr=errors, text=True)


def finish(running: subprocess.Popen[str], workspace: Path) -> dict[str, Any]:
    out, _ = running.communicate(timeout=600)
    assert running.returncode == 0, (workspace / "errors.log").read_text()[-3000:]
    found: dict[str, Any] = json.loads(out)
    return found


def test_killed_at_ten_random_moments_it_ends_the_same(tmp_path: Path) -> None:
    began = time.monotonic()
    whole = finish(start(tmp_path / "whole"), tmp_path / "whole")
    length = time.monotonic() - began
    chance, killed, workspace = random.Random(7), 0, tmp_path / "killed"
    while killed < MOMENTS:
        running = start(workspace)
        try:
            running.wait(chance.uniform(1.0, length))
        except subprocess.TimeoutExpired:
            assert not kill(running), "what it had started goes as well"
        else:
            running.communicate()
        killed += 1
    ended = finish(start(workspace), workspace)
    assert ended["data"] == whole["data"]
    assert ended["champion"] == ended["version"] == whole["version"] == 1
    mine, theirs = (Registry(Workspace(folder)) for folder in (workspace, tmp_path / "whole"))
    assert [v.version for v in mine.versions.of("digits")] == [1]
    champion = mine.champion("digits")
    assert champion is not None
    assert champion.weights == theirs.current("digits").weights
    assert (mine.versions.download(champion) / "weights.safetensors").is_file()


def test_the_embedded_prefect_server_may_die(tmp_path: Path) -> None:
    """In the middle of training: it is started again, the run ends well, and nobody sees pages of errors."""
    running = start(tmp_path)
    end = time.monotonic() + 120
    while not any(tmp_path.glob(".genwright/runs/*/round-1/checkpoints/*")) and time.monotonic() < end:
        assert running.poll() is None
        time.sleep(0.1)
    [server] = [one for one in psutil.Process(running.pid).children(recursive=True) if "server" in " ".join(one.cmdline())][:1]
    server.kill()
    began = time.monotonic()
    ended = finish(running, tmp_path)
    assert time.monotonic() - began < 120
    assert ended["champion"] == 1
    said = (tmp_path / "errors.log").read_text()
    assert "Traceback" not in said
    assert "ConnectError" not in said
