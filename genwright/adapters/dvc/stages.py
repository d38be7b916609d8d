"""Data stages: DVC runs them when something they depend on changed; their bytes are hashed again before they are handed on.

DVC checks out, reports as up to date and pushes an altered cache object without a word, so the bytes are hashed again
here before they are handed on and after they were pushed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml

from genwright.core.durable import exclusive, write_text
from genwright.core.errors import DataError, GenwrightError, ServiceError
from genwright.core.folder_hash import Objects, tree
from genwright.core.workspace import Workspace
from genwright.data import stage as stage_program

Stage = Literal["collect", "clean"]
OUTS: dict[Stage, str] = {"collect": "raw", "clean": "clean"}
DERIVED = "derived"
"""Folder, within that of a recipe, of the derived columns that are kept; each is a stage of its own."""
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # of a recipe; it becomes part of a command
HEALED = "run the command again: what was altered is set aside in .genwright/damaged and will be made anew"
CONFIG = """[core]
    no_scm = True
    analytics = false
    check_update = false
    site_cache_dir = .genwright/dvc
[cache]
    dir = ../.genwright/cache
"""


class Stages:
    """The data stages of a workspace. What reads or changes data holds a kernel lock: DVC does not protect threads from each
    other."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.cache = Objects(workspace.state / "cache" / "files" / "md5")

    def reproduce(self, recipe: str, stage: Stage) -> str:
        """Run a stage when something it depends on changed; the DVC hash of what it wrote.

        Raises DataError with the stage's own message when it fails, ServiceError when DVC cannot work.
        """
        with self.repo() as repo:
            self._reproduce(repo, recipe, f"{stage}@{recipe}", self._log(recipe, stage))
            return self.digest(recipe, stage)

    def derive(self, recipe: str, column: str) -> str:
        """Compute a derived column when its spec or the data changed; the DVC hash of what was written. The bytes are
        verified. Raises DataError and ServiceError as `reproduce` does."""
        folder = self.workspace.derived(recipe)
        with self.repo() as repo:
            target = f"derive@{recipe}.{column}"
            self._reproduce(repo, recipe, target, folder / f"{column}.log")
            digest = str((parsed(self.workspace.root / "dvc.lock") or {})["stages"][target]["outs"][0]["md5"])
            self._check_folder(folder / column, digest, f"{recipe}-{column}")
        return digest

    def _reproduce(self, repo: Any, recipe: str, target: str, log: Path) -> None:
        from dvc.exceptions import ReproductionError

        log.unlink(missing_ok=True)
        try:
            repo.reproduce(targets=[target], single_item=True)
        except ReproductionError as error:
            raise self._failed(recipe, target.partition("@")[0], log, error) from error

    def verify(self, recipe: str, digest: str, stage: Stage = "clean") -> None:
        """Hash the bytes of a stage's folder again. Raises DataError naming the altered files when they are not those of
        `digest`; they and the altered objects of the cache are then set aside, so that the next run makes them anew."""
        with self.lock():
            self.check(recipe, digest, stage)

    def push(self, recipe: str) -> bool:
        """Push a recipe's data to the default remote and read it back; False when no remote is set.

        Raises ServiceError when the remote does not answer or does not hold the same bytes afterwards.
        """
        with self.repo() as repo:
            name = repo.config["core"].get("remote")
            if not name:
                return False
            with repo.config.edit() as config:
                config["remote"][name]["verify"] = True
            with using_remote(repo, name):
                repo.push(targets=[f"{stage}@{recipe}" for stage in OUTS])
                remote = repo.cloud.get_remote_odb(name)
                for oid in sorted({oid for stage in OUTS for oid in self.cache.parts(self.digest(recipe, stage))}):
                    self._check_remote(remote, oid)
        return True

    def collected(self, recipe: str) -> str | None:
        """DVC hash of the raw items collected last; None where there are none."""
        lock = parsed(self.workspace.root / "dvc.lock") or {}
        return self.digest(recipe, "collect") if f"collect@{recipe}" in lock.get("stages", {}) else None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """The block has the data of the workspace to itself."""
        with exclusive(self.workspace.lock("dvc"), busy="", wait=True):
            yield

    @contextmanager
    def repo(self) -> Iterator[Any]:
        """An open DVC repository, with what stages need in the environment; DVC's errors become the user's."""
        with self.lock(), self._environment(), chdir(self.workspace.root):  # DVC looks for stages where it is
            self._prepare()
            from dvc.exceptions import DvcException
            from dvc.lock import LockError
            from dvc.repo import Repo

            logging.getLogger("dvc").setLevel(logging.CRITICAL)  # what it says at length comes as an exception too
            try:
                with Repo(str(self.workspace.root)) as repo:
                    yield repo
            except LockError as error:
                raise ServiceError("DVC is busy with this workspace.", got=error, do="wait for it, then run again") from error
            except DvcException as error:
                raise ServiceError(
                    "DVC could not do its work.", got=error, do="`genwright doctor` says what is configured"
                ) from error

    @contextmanager
    def _environment(self) -> Iterator[None]:
        """Stages run under this Python, in this workspace, and no longer than this process lives."""
        alive = self.workspace.lock(f"alive-{os.getpid()}")
        changes = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "SHELL": "/bin/sh",
            "GENWRIGHT_WORKSPACE": str(self.workspace.root),
            stage_program.ALIVE: str(alive),
        }
        before = {name: os.environ.get(name) for name in changes}
        with exclusive(alive, busy="", wait=True):
            os.environ.update(changes)
            try:
                yield
            finally:
                for name, value in before.items():
                    os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
                alive.unlink(missing_ok=True)

    def _prepare(self) -> None:
        """Configuration where there is none, and what a killed run may have left half written."""
        root = self.workspace.root
        for path, text in (
            (root / ".dvc" / "config", CONFIG),
            (root / ".dvc" / ".gitignore", "/config.local\n/tmp\n/cache\n"),
            (root / "dvc.yaml", definition()),
        ):
            if not path.exists():
                write_text(path, text)
        known = (path.parent.name for path in self.workspace.data.glob("*/collect.json"))
        recipes = sorted(name for name in known if NAME.fullmatch(name))
        specs = sorted(self.workspace.data.glob(f"*/{DERIVED}/*.json"))
        derived = {f"{p.parents[1].name}.{p.stem}": {"recipe": p.parents[1].name, "column": p.stem} for p in specs}
        variables = {"recipes": recipes, "derived": derived}
        write_text(self.workspace.data / "recipes.yaml", yaml.safe_dump(variables))
        for path in (root / "dvc.lock", root / ".dvc" / "tmp" / "rwlock"):
            if path.exists() and not isinstance(parsed(path), dict):
                path.unlink()  # the stages run again, or DVC remembers their results

    def _failed(self, recipe: str, stage: str, log: Path, error: Exception) -> DataError:
        said = log.read_text(errors="replace").strip() if log.is_file() else ""
        if not said:
            cause = error.__cause__ or error
            return DataError(f"The data stage {stage!r} of {recipe} could not run.", got=cause, do="see the message above")
        if said.endswith("KeyboardInterrupt"):
            raise KeyboardInterrupt from error
        if "Traceback (most recent call last)" in said:
            return DataError(f"The data stage {stage!r} of {recipe} failed.", got=said.splitlines()[-1], do=f"see {log}")
        return DataError(said)

    def digest(self, recipe: str, stage: Stage) -> str:
        """The DVC hash that dvc.lock has of what a stage wrote."""
        lock = parsed(self.workspace.root / "dvc.lock") or {}
        digest: str = lock["stages"][f"{stage}@{recipe}"]["outs"][0]["md5"]
        return digest

    def spec(self, recipe: str, stage: Stage) -> Path:
        """The file that tells a stage what to do."""
        return self.workspace.data / recipe / f"{stage}.json"

    def _log(self, recipe: str, stage: Stage) -> Path:
        return self.workspace.data / recipe / f"{stage}.log"

    def check(self, recipe: str, digest: str, stage: Stage) -> None:
        """`verify`, for whoever holds the lock already."""
        self._check_folder(self.workspace.data / recipe / OUTS[stage], digest, f"{recipe}-{OUTS[stage]}")

    def _check_folder(self, folder: Path, digest: str, title: str) -> None:
        """Raises DataError, after what is altered was set aside, for a folder whose bytes are not those of a hash."""
        found = tree(folder)
        if found.digest == digest:
            return
        listing = self.cache.listing(digest)
        expected = listing.files if listing else {}
        altered = sorted(path for path in found.files | expected if found.files.get(path) != expected.get(path))
        aside = self.workspace.state / "damaged"
        aside.mkdir(parents=True, exist_ok=True)
        for oid in self.cache.parts(digest):
            if self.cache.path(oid).is_file() and not self.cache.sound(oid):
                self.cache.path(oid).replace(aside / oid)
        shutil.rmtree(aside / title, ignore_errors=True)
        if folder.is_dir():
            folder.replace(aside / title)
        raise DataError(
            f"The data in {folder} is not what was written there: its bytes were altered.",
            got=f"{', '.join(altered[:5])}{' and more' if len(altered) > 5 else ''}; folder hash {found.digest}",
            allowed=digest,
            do=HEALED,
        )

    def _check_remote(self, remote: Any, oid: str) -> None:
        path = remote.oid_to_path(oid)
        try:
            with remote.fs.open(path, "rb") as file:
                found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        except OSError as error:
            raise ServiceError("The remote does not hold what was pushed.", got=f"{path}: {error}", do="push again") from error
        if found != oid.removesuffix(".dir"):
            raise ServiceError("The remote holds altered data.", got=path, do="delete that object there, then run again")


@contextmanager
def using_remote(repo: Any, name: str) -> Iterator[None]:
    """Whatever a remote answers with, in words: each kind of storage raises errors of its own, some as bare as they come."""
    try:
        yield
    except GenwrightError:
        raise
    except Exception as error:
        url = repo.config["remote"].get(name, {}).get("url", "")
        scheme = url.partition("://")[0] if "://" in url else ""
        install = f"`pip install 'dvc[{scheme}]'` brings what {scheme}:// needs; or " if scheme else ""
        raise ServiceError(
            f"The data remote {name!r} cannot be used, so data are not kept there.",
            got=f"{url}: {type(error).__name__}: {str(error) or 'no more is said'}",
            do=f"{install}correct its address with `dvc remote modify {name} url ADDRESS`, or go on without one by "
            "`dvc remote default --unset`",
        ) from error


def definition() -> str:
    """The text of dvc.yaml: the data stages, defined once."""
    return files("genwright.adapters.dvc").joinpath("dvc.yaml").read_text()


def parsed(path: Path) -> Any:
    """The YAML (or JSON) in a file; None where there is none or it was cut short."""
    try:
        return yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError):
        return None
