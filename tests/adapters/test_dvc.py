"""Data versions through the real DVC: what runs when, what is noticed, what comes back, what a kill leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from genwright.adapters.dvc import checkup, stages
from genwright.adapters.dvc.data import Data
from genwright.core import stored
from genwright.core.durable import exclusive
from genwright.core.errors import DataError, GenwrightError, ServiceError
from genwright.core.folder_hash import tree
from genwright.core.workspace import Workspace
from genwright.data.modalities.base import modalities
from genwright.data.records import DatasetVersion
from genwright.recipes.recipe import Recipe, parse
from genwright.recipes.stages import collecting
from genwright.tasks.clean import clean
from genwright.tasks.collect import collect

ROOT = Path(__file__).parents[2]


def recipe(cleaning: list[str] | None = None) -> Recipe:
    return parse(
        {
            "name": "tiny",
            "content": {"kind": "text", "vocab": 300, "length": 32},
            "sources": [{"kind": "folder", "path": "texts"}],
            "cleaning": cleaning or [],
            "split": {"validation": 0.2, "test": 0.2},
        }
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "texts").mkdir()
    for place, data in enumerate(modalities.get("text").fixture(60)):
        (tmp_path / "texts" / f"{place}.txt").write_bytes(data)
    return Workspace(tmp_path)


def produce(workspace: Workspace, given: Recipe | None = None) -> DatasetVersion:
    collect.fn(given or recipe(), workspace)
    return clean.fn(given or recipe(), workspace)


def ran(workspace: Workspace) -> tuple[tuple[int, int], tuple[int, int]]:
    """When each stage last wrote its folder. Stages replace it whole; a freed inode may be handed out again at once."""

    def written(folder: Path) -> tuple[int, int]:
        about = folder.stat()
        return about.st_ino, about.st_mtime_ns

    return written(workspace.data / "tiny" / "raw"), written(workspace.data / "tiny" / "clean")


def objects(workspace: Workspace, name: str) -> Path:
    """The cache object of a file of the cleaned data."""
    md5 = tree(workspace.clean("tiny")).files[name]
    return workspace.state / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def alter(path: Path) -> None:
    """Change one byte; size, times and mode stay as they were."""
    about = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def test_the_stages_that_depend_on_a_change_run_and_no_others(workspace: Workspace) -> None:
    first = produce(workspace)
    after_first = ran(workspace)
    assert produce(workspace) == first
    assert ran(workspace) == after_first

    other_rules = produce(workspace, recipe(["exact_duplicates", "size"]))
    after_rules = ran(workspace)
    assert after_rules[0] == after_first[0]
    assert after_rules[1] != after_first[1]
    assert other_rules.contents == first.contents

    (workspace.root / "texts" / "0.txt").write_text("changed")
    changed = produce(workspace, recipe(["exact_duplicates", "size"]))
    after_change = ran(workspace)
    assert after_change[0] != after_rules[0]
    assert after_change[1] != after_rules[1]
    assert changed.digest != other_rules.digest


def test_the_hash_is_dvcs_own(workspace: Workspace) -> None:
    version = produce(workspace)
    assert version.digest.endswith(".dir")
    assert tree(workspace.clean("tiny")).digest == version.digest
    assert tree(workspace.raw("tiny")).digest in (workspace.root / "dvc.lock").read_text()


def test_an_old_version_comes_back_by_its_hash(workspace: Workspace) -> None:
    first = produce(workspace)
    (workspace.root / "texts" / "0.txt").write_text("changed")
    second = produce(workspace)
    data = Data(workspace)
    assert [version.digest for version in data.versions("tiny")] == [first.digest, second.digest]
    data.restore("tiny", first.digest[:8])
    assert tree(workspace.clean("tiny")).digest == first.digest == data.current("tiny")
    assert (
        collecting(recipe(), workspace).states != json.loads((workspace.data / "tiny" / "collect.json").read_text())["states"]
    )
    assert produce(workspace).digest == second.digest  # the sources are as they were for the second


def test_a_version_that_is_not_there_says_which_are(workspace: Workspace) -> None:
    version = produce(workspace)
    with pytest.raises(DataError, match=version.digest):
        Data(workspace).restore("tiny", "ffff")


def test_an_altered_cache_object_is_found_before_the_data_is_handed_on(workspace: Workspace) -> None:
    version = produce(workspace)
    alter(objects(workspace, "train.content.npy"))
    (workspace.clean("tiny") / "train.content.npy").unlink()  # DVC brings the altered one back and calls it up to date
    with pytest.raises(DataError, match=r"train\.content\.npy"):
        produce(workspace)
    assert produce(workspace).digest == version.digest  # made anew


def test_an_altered_file_is_found_though_its_size_and_time_are_the_same(workspace: Workspace) -> None:
    version = produce(workspace)
    alter(workspace.clean("tiny") / "items-0000.parquet")
    with pytest.raises(DataError, match=r"items-0000\.parquet"):
        produce(workspace)
    assert produce(workspace).digest == version.digest


def test_restoring_damaged_bytes_fails_and_leaves_the_data_as_it_was(workspace: Workspace) -> None:
    first = produce(workspace)
    damaged = objects(workspace, "train.content.npy")
    (workspace.root / "texts" / "0.txt").write_text("changed")
    second = produce(workspace)
    alter(damaged)
    with pytest.raises(GenwrightError):
        Data(workspace).restore("tiny", first.digest)
    assert tree(workspace.clean("tiny")).digest == second.digest == Data(workspace).current("tiny")


def test_the_remote_is_verified_and_brings_back_what_the_cache_lost(workspace: Workspace, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    first = produce(workspace)
    config = workspace.root / ".dvc" / "config"
    config.write_text(
        config.read_text().replace("[core]", "[core]\n    remote = kept") + f"['remote \"kept\"']\n    url = {remote}\n"
    )
    assert Data(workspace).stages.push("tiny")
    assert "verify = true" in config.read_text().lower()
    shutil.rmtree(workspace.state / "cache")
    shutil.rmtree(workspace.clean("tiny"))
    Data(workspace).restore("tiny", first.digest)
    assert tree(workspace.clean("tiny")).digest == first.digest

    md5 = tree(workspace.clean("tiny")).files["train.content.npy"]
    alter(remote / "files" / "md5" / md5[:2] / md5[2:])
    with pytest.raises(ServiceError, match="altered"):
        clean.fn(recipe(), workspace)


@pytest.mark.parametrize("address", ["{file}/store", "/proc/nowhere/store", "s3://nobucket/x", "ssh://nobody@127.0.0.1:9/x"])
def test_a_remote_that_cannot_be_used_is_said_with_what_to_do(address: str, workspace: Workspace, tmp_path: Path) -> None:
    """By the run, and by the doctor."""
    produce(workspace)
    (tmp_path / "file").touch()
    url = address.format(file=tmp_path / "file")
    config = workspace.root / ".dvc" / "config"
    config.write_text(
        config.read_text().replace("[core]", "[core]\n    remote = store") + f"['remote \"store\"']\n    url = {url}\n"
    )
    with pytest.raises(ServiceError, match="remote 'store' cannot be used") as caught:
        clean.fn(recipe(), workspace)
    assert url in str(caught.value)
    assert "dvc remote default --unset" in str(caught.value)
    [check] = checkup.check(workspace)
    assert check.state == "problem"
    assert url in check.found


def test_without_a_remote_nothing_is_pushed(workspace: Workspace) -> None:
    produce(workspace)
    assert Data(workspace).stages.push("tiny") is False


def test_a_stages_error_reaches_the_user_as_its_own_message(workspace: Workspace) -> None:
    for path in (workspace.root / "texts").iterdir():
        if path.stem not in "0123":
            path.unlink()
    with pytest.raises(DataError) as error:
        produce(workspace)
    assert str(error.value).startswith("Too little data is left")
    assert "Traceback" not in str(error.value)


def test_a_missing_source_is_an_error_before_dvc_is_asked(workspace: Workspace) -> None:
    (workspace.root / "texts").rename(workspace.root / "moved")
    with pytest.raises(DataError, match="no folder"):
        produce(workspace)


@pytest.mark.parametrize("broken", ["dvc.lock", ".dvc/tmp/rwlock"])
def test_files_cut_short_by_a_kill_do_not_stop_the_next_run(workspace: Workspace, broken: str) -> None:
    version = produce(workspace)
    (workspace.root / broken).write_text('{"read": ')
    assert produce(workspace).digest == version.digest


def test_a_killed_run_stops_its_stage_and_the_next_one_proceeds(workspace: Workspace) -> None:
    """The stage is held up by a lock of ours, so that the kill surely comes in its middle."""
    spec = collecting(recipe(), workspace)
    stored.write(workspace.data / "tiny" / "collect.json", spec)
    code = "\n".join(
        (
            "from pathlib import Path",
            "from genwright.adapters.dvc.data import Data",
            "from genwright.core.workspace import Workspace",
            f"Data(Workspace(Path({str(workspace.root)!r}))).reproduce('tiny', 'collect')",
        )
    )
    with exclusive(workspace.lock("data-tiny"), busy=""):
        run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        log = workspace.data / "tiny" / "collect.log"
        while not log.exists():
            assert run.poll() is None
            time.sleep(0.05)
        time.sleep(2)  # the stage has started and waits
        run.send_signal(signal.SIGKILL)
        run.wait()
        began = time.monotonic()
        while _stages(workspace):
            assert time.monotonic() - began < 5, "the stage outlived the run that was killed"
            time.sleep(0.05)
    began = time.monotonic()
    version = produce(workspace)
    assert time.monotonic() - began < 20
    assert tree(workspace.clean("tiny")).digest == version.digest


def _stages(workspace: Workspace) -> list[int]:
    """Processes of stages of this workspace."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        cmdline, cwd = process.info["cmdline"] or [], process.info["cwd"]
        if "genwright.data.collect" in cmdline and cwd == str(workspace.root):
            found.append(process.pid)
    return found


def test_threads_do_not_get_in_each_others_way(workspace: Workspace) -> None:
    produce(workspace)
    failures: list[Exception] = []

    def again() -> None:
        try:
            Data(workspace).reproduce("tiny", "clean")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_definition_of_the_stages_is_one() -> None:
    assert (ROOT / "dvc.yaml").read_text() == stages.definition()
    assert (ROOT / ".dvc" / "config").read_text() == stages.CONFIG
