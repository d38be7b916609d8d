"""kill -9 at random moments of the demo's flow: the same command finishes, with the same weights and one version."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from genwright.adapters.mlflow.registry import Registry
from genwright.core.workspace import Workspace
from tests.workspaces import Running, begin, outcome
from trials.soak import kill

pytestmark = [pytest.mark.long(minutes=8), pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[1]
MOMENTS = 10
SMALL = ["select.families=[vae, diffusion]", "select.budget.steps=20", "train.budget.steps=80", "samples=64", "accept={}"]


def start(workspace: Path) -> Running:
    (workspace / "recipes").mkdir(parents=True, exist_ok=True)
    (workspace / "recipes" / "digits.yaml").write_text((ROOT / "recipes" / "digits.yaml").read_text())
    return begin(workspace, "run", "digits", "--json", *(f"--set={one}" for one in SMALL))


def begun(workspace: Path) -> bool:
    """Whether a run has come as far as choosing a model."""
    return any((workspace / ".genwright" / "runs").glob("*/*"))


def same(workspace: Path, ended: dict[str, Any], theirs: Path, whole: dict[str, Any]) -> None:
    """What came of a run that was killed now and then is what came of one that nobody disturbed."""
    assert ended["data"] == whole["data"]
    assert ended["champion"] == ended["version"] == whole["version"] == 1
    mine = Registry(Workspace(workspace))
    assert [v.version for v in mine.versions.of("digits")] == [1]
    champion = mine.champion("digits")
    assert champion is not None
    assert champion.weights == Registry(Workspace(theirs)).current("digits").weights
    assert (mine.versions.download(champion) / "weights.safetensors").is_file()


def test_killed_at_ten_random_moments_it_ends_the_same(tmp_path: Path) -> None:
    """Each time it goes on from where it was killed before, so that all it does is cut somewhere; where it ends before ten
    times another begins."""
    whole, began = start(tmp_path / "whole"), time.monotonic()
    while not begun(tmp_path / "whole"):
        assert psutil.pid_exists(whole.pid)
        time.sleep(0.1)
    beginning = time.monotonic() - began
    expected = outcome(whole.wait(600))
    most = beginning / 2 + 2 * (time.monotonic() - began) / MOMENTS  # whoever goes on finds the data made
    chance, killed, amid, workspaces = random.Random(7), 0, 0, (tmp_path / f"killed-{place}" for place in count())
    workspace = next(workspaces)
    while killed < MOMENTS:
        running = start(workspace)
        try:
            ended = outcome(running.wait(chance.uniform(1.0, most)))
        except subprocess.TimeoutExpired:
            assert not kill(running.pid), "what it had started goes as well"
            assert running.wait(15).returncode in (0, -signal.SIGKILL)  # 0: it had just ended
            killed += 1
            if begun(workspace):
                amid += 1
            elif not amid:  # the machine has become slower
                most *= 1.5
        else:
            same(workspace, ended, tmp_path / "whole", expected)
            workspace = next(workspaces)
    assert amid >= MOMENTS // 2
    same(workspace, outcome(start(workspace).wait(600)), tmp_path / "whole", expected)


def test_the_embedded_prefect_server_may_die(tmp_path: Path) -> None:
    """In the middle of training: it is started again, the run ends well, and nobody sees pages of errors."""
    running = start(tmp_path)
    end = time.monotonic() + 120
    while not any(tmp_path.glob(".genwright/runs/*/round-1/checkpoints/*")) and time.monotonic() < end:
        assert psutil.pid_exists(running.pid)
        time.sleep(0.1)
    [server] = [one for one in psutil.Process(running.pid).children(recursive=True) if "server" in " ".join(one.cmdline())][:1]
    server.kill()
    began = time.monotonic()
    done = running.wait(600)
    assert time.monotonic() - began < 120
    assert outcome(done)["champion"] == 1
    assert "Traceback" not in done.stderr
    assert "ConnectError" not in done.stderr
