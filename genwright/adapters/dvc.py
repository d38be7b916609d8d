"""Data versions: DVC runs the data stages, names their bytes, keeps and brings back old versions.

DVC checks out, reports as up to date and pushes an altered cache object without a word, so the bytes are hashed again
here before they are handed on and after they were pushed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from genwright import stage as stage_program
from genwright.durable import exclusive, replacing, write_json, write_text
from genwright.errors import DataError, ServiceError
from genwright.records import DatasetContents, Record
from genwright.tree import Objects, tree
from genwright.workspace import Workspace

Stage = Literal["collect", "clean"]
OUTS: dict[Stage, str] = {"collect": "raw", "clean": "clean"}
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")  # of a recipe; it becomes part of a command
HEALED = "run the command again: what was altered is set aside in .genwright/damaged and will be made anew"
CONFIG = """[core]
    no_scm = True
    analytics = false
    check_update = false
    site_cache_dir = .genwright/dvc
[cache]
    dir = ../.genwright/cache
"""


class DataVersion(Record):
    """One version of a recipe's data, with all that DVC needs to bring it back."""

    digest: str = Field(description="DVC hash of the cleaned folder")
    raw: str = Field(description="DVC hash of the raw items it was made from")
    recorded: str = Field(description="when it was first made, ISO 8601 in UTC")
    contents: DatasetContents
    specs: dict[Stage, Any] = Field(description="collect.json and clean.json")
    locks: dict[Stage, Any] = Field(description="what dvc.lock says of the two stages")


class Data:
    """The data of a workspace. Every method holds a kernel lock: DVC does not protect threads from each other."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.cache = Objects(workspace.state / "cache" / "files" / "md5")

    def reproduce(self, recipe: str, stage: Stage) -> str:
        """Run a stage when something it depends on changed; the DVC hash of what it wrote.

        Raises DataError with the stage's own message when it fails, ServiceError when DVC cannot work.
        """
        from dvc.exceptions import ReproductionError

        with self._repo() as repo:
            self._log(recipe, stage).unlink(missing_ok=True)
            try:
                repo.reproduce(targets=[f"{stage}@{recipe}"], single_item=True)
            except ReproductionError as error:
                raise self._failed(recipe, stage, error) from error
            digest = self._digest(recipe, stage)
            if stage == "clean":
                self._record(recipe, digest)
        return digest

    def verify(self, recipe: str, digest: str, stage: Stage = "clean") -> None:
        """Hash the bytes of a stage's folder again. Raises DataError naming the altered files when they are not those of
        `digest`; they and the altered objects of the cache are then set aside, so that the next run makes them anew."""
        with self._lock():
            self._verify(recipe, digest, stage)

    def push(self, recipe: str) -> bool:
        """Push a recipe's data to the default remote and read it back; False when no remote is set.

        Raises ServiceError when the remote does not answer or does not hold the same bytes afterwards.
        """
        with self._repo() as repo:
            name = repo.config["core"].get("remote")
            if not name:
                return False
            with repo.config.edit() as config:
                config["remote"][name]["verify"] = True
            repo.push(targets=[f"{stage}@{recipe}" for stage in OUTS])
            remote = repo.cloud.get_remote_odb(name)
            for oid in sorted({oid for stage in OUTS for oid in self.cache.parts(self._digest(recipe, stage))}):
                self._check_remote(remote, oid)
        return True

    def restore(self, recipe: str, digest: str) -> DataVersion:
        """Bring the version whose hash begins with `digest` back into the workspace, from the cache or the remote.

        Raises DataError when there is none or its bytes are gone; the data is then as it was.
        """
        version = self._find(recipe, digest)
        targets = [f"{stage}@{recipe}" for stage in OUTS]
        with self._repo() as repo:
            lock = self.workspace.root / "dvc.lock"
            before = {
                path: path.read_text() for path in (lock, *(self._spec(recipe, stage) for stage in OUTS)) if path.exists()
            }
            try:
                self._enter(recipe, version)
                if repo.config["core"].get("remote") and not (
                    self.cache.whole(version.raw) and self.cache.whole(version.digest)
                ):
                    repo.fetch(targets=targets)
                repo.checkout(targets=targets, force=True)
                self._verify(recipe, version.raw, "collect")
                self._verify(recipe, version.digest, "clean")
            except Exception:
                for path, text in before.items():
                    write_text(path, text)
                repo.checkout(targets=targets, force=True, allow_missing=True)
                raise
        return version

    def export(self, recipe: str, digest: str) -> Path:
        """A folder with the cleaned data of a version, its bytes verified, beside the data in use; kept for the next time.

        Raises DataError when there is no such version or its bytes are gone.
        """
        version = self._find(recipe, digest)
        out = self.workspace.state / "datasets" / version.digest.removesuffix(".dir")
        with self._repo() as repo:
            if tree(out).digest == version.digest:
                return out
            listing = self.cache.listing(version.digest)
            if listing is None and repo.config["core"].get("remote"):
                self._fetch(repo, recipe, version)
                listing = self.cache.listing(version.digest)
            if listing is None or not self.cache.whole(version.digest):
                raise DataError(f"The data version {version.digest} of {recipe} is gone.", do="run the recipe again")
            with replacing(out) as folder:
                for path, oid in listing.files.items():
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(self.cache.path(oid), folder / path)
        return out

    def _fetch(self, repo: Any, recipe: str, version: DataVersion) -> None:
        """Get the objects of a version from the remote, leaving dvc.lock and the specs as they are."""
        names = (self.workspace.root / "dvc.lock", *(self._spec(recipe, stage) for stage in OUTS))
        before = {path: path.read_text() for path in names if path.exists()}
        try:
            self._enter(recipe, version)
            repo.fetch(targets=[f"{stage}@{recipe}" for stage in OUTS])
        finally:
            for path, text in before.items():
                write_text(path, text)

    def versions(self, recipe: str) -> list[DataVersion]:
        """The versions made so far, oldest first."""
        path = self.workspace.data / recipe / "versions.jsonl"
        lines = path.read_text().splitlines() if path.is_file() else []
        return [DataVersion.model_validate_json(line) for line in lines]

    def current(self, recipe: str) -> str | None:
        """DVC hash of the cleaned data in the workspace; None where there is none."""
        lock = _parsed(self.workspace.root / "dvc.lock") or {}
        known = f"clean@{recipe}" in lock.get("stages", {})
        return self._digest(recipe, "clean") if known else None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with exclusive(self.workspace.lock("dvc"), busy="", wait=True):
            yield

    @contextmanager
    def _repo(self) -> Iterator[Any]:
        """An open DVC repository, with what stages need in the environment; DVC's errors become the user's."""
        with self._lock(), self._environment(), chdir(self.workspace.root):  # DVC looks for stages where it is
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
        write_text(self.workspace.data / "recipes.yaml", yaml.safe_dump({"recipes": recipes}))
        for path in (root / "dvc.lock", root / ".dvc" / "tmp" / "rwlock"):
            if path.exists() and not isinstance(_parsed(path), dict):
                path.unlink()  # the stages run again, or DVC remembers their results

    def _failed(self, recipe: str, stage: Stage, error: Exception) -> DataError:
        log = self._log(recipe, stage)
        said = log.read_text(errors="replace").strip() if log.is_file() else ""
        if not said:
            cause = error.__cause__ or error
            return DataError(f"The data stage {stage!r} of {recipe} could not run.", got=cause, do="see the message above")
        if said.endswith("KeyboardInterrupt"):
            raise KeyboardInterrupt from error
        if "Traceback (most recent call last)" in said:
            return DataError(f"The data stage {stage!r} of {recipe} failed.", got=said.splitlines()[-1], do=f"see {log}")
        return DataError(said)

    def _digest(self, recipe: str, stage: Stage) -> str:
        lock = _parsed(self.workspace.root / "dvc.lock") or {}
        digest: str = lock["stages"][f"{stage}@{recipe}"]["outs"][0]["md5"]
        return digest

    def _spec(self, recipe: str, stage: Stage) -> Path:
        return self.workspace.data / recipe / f"{stage}.json"

    def _log(self, recipe: str, stage: Stage) -> Path:
        return self.workspace.data / recipe / f"{stage}.log"

    def _record(self, recipe: str, digest: str) -> None:
        """Note a version that was not there before, so that it can be brought back."""
        known = self.versions(recipe)
        if any(version.digest == digest for version in known):
            return
        entries = (_parsed(self.workspace.root / "dvc.lock") or {})["stages"]
        contents = (self.workspace.clean(recipe) / "dataset.json").read_text()
        version = DataVersion(
            digest=digest,
            raw=self._digest(recipe, "collect"),
            recorded=datetime.now(UTC).isoformat(timespec="seconds"),
            contents=DatasetContents.model_validate_json(contents),
            specs={stage: json.loads(self._spec(recipe, stage).read_text()) for stage in OUTS},
            locks={stage: entries[f"{stage}@{recipe}"] for stage in OUTS},
        )
        lines = "".join(f"{version.model_dump_json()}\n" for version in (*known, version))
        write_text(self.workspace.data / recipe / "versions.jsonl", lines)

    def _find(self, recipe: str, digest: str) -> DataVersion:
        known = self.versions(recipe)
        found = [version for version in known if digest and version.digest.startswith(digest)]
        if len(found) != 1:
            raise DataError(
                f"{recipe} has {'no' if not found else 'more than one'} data version {digest!r}.",
                got=digest,
                allowed=", ".join(version.digest for version in known) or "none: it has never been cleaned",
                do=f"`genwright data list {recipe}` lists them",
            )
        return found[0]

    def _enter(self, recipe: str, version: DataVersion) -> None:
        """Make the specs and dvc.lock those of a version."""
        path = self.workspace.root / "dvc.lock"
        lock = _parsed(path) or {"schema": "2.0", "stages": {}}
        for stage in OUTS:
            write_json(self._spec(recipe, stage), version.specs[stage])
            lock["stages"][f"{stage}@{recipe}"] = version.locks[stage]
        write_text(path, yaml.safe_dump(lock, sort_keys=False))

    def _verify(self, recipe: str, digest: str, stage: Stage) -> None:
        folder = self.workspace.data / recipe / OUTS[stage]
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
        shutil.rmtree(aside / f"{recipe}-{OUTS[stage]}", ignore_errors=True)
        if folder.is_dir():
            folder.replace(aside / f"{recipe}-{OUTS[stage]}")
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


def definition() -> str:
    """The text of dvc.yaml: the data stages, defined once."""
    return files("genwright.adapters").joinpath("dvc.yaml").read_text()


def _parsed(path: Path) -> Any:
    """The YAML (or JSON) in a file; None where there is none or it was cut short."""
    try:
        return yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError):
        return None
