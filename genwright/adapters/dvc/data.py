"""Data versions: what DVC's stages made, kept, named and brought back."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from genwright.adapters.dvc.stages import OUTS, Stage, Stages, parsed, using_remote
from genwright.core import stored
from genwright.core.durable import replacing, write_json, write_text
from genwright.core.errors import DataError
from genwright.core.folder_hash import tree
from genwright.core.stored import Stored
from genwright.core.workspace import Workspace
from genwright.data.records import DatasetContents, contents_of

EXPORTS = 4  # exported versions kept for a recipe, those used last


class DataVersion(Stored):
    """One version of a recipe's data, with all that DVC needs to bring it back."""

    form = "version"
    mend = "put the line right, or move the file aside and run the recipe again: versions noted there cannot be restored then"

    digest: str = Field(description="DVC hash of the cleaned folder")
    raw: str = Field(description="DVC hash of the raw items it was made from")
    recorded: str = Field(description="when it was first made, ISO 8601 in UTC")
    contents: DatasetContents
    specs: dict[Stage, Any] = Field(description="collect.json and clean.json")
    locks: dict[Stage, Any] = Field(description="what dvc.lock says of the two stages")


class Data:
    """The versions of a workspace's data, which its `stages` make."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.stages = workspace, Stages(workspace)

    def reproduce(self, recipe: str, stage: Stage) -> str:
        """Run a stage when something it depends on changed, and note a version that is new; the DVC hash of what it wrote.

        Raises DataError with the stage's own message when it fails, ServiceError when DVC cannot work.
        """
        digest = self.stages.reproduce(recipe, stage)
        if stage == "clean":
            with self.stages.lock():
                self._record(recipe, digest)
        return digest

    def restore(self, recipe: str, digest: str) -> DataVersion:
        """Bring the version whose hash begins with `digest` back into the workspace, from the cache or the remote.

        Raises DataError when there is none or its bytes are gone; the data is then as it was.
        """
        version = self._find(recipe, digest)
        targets = [f"{stage}@{recipe}" for stage in OUTS]
        with self.stages.repo() as repo:
            before = self._written(recipe)
            try:
                self._enter(recipe, version)
                remote = repo.config["core"].get("remote")
                if remote and not (self.stages.cache.whole(version.raw) and self.stages.cache.whole(version.digest)):
                    with using_remote(repo, remote):
                        repo.fetch(targets=targets)
                repo.checkout(targets=targets, force=True)
                self.stages.check(recipe, version.raw, "collect")
                self.stages.check(recipe, version.digest, "clean")
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
        out = self.workspace.state / "datasets" / recipe / version.digest.removesuffix(".dir")
        with self.stages.repo() as repo:
            if tree(out).digest == version.digest:
                os.utime(out)
                return out
            used = sorted(out.parent.iterdir(), key=lambda folder: folder.stat().st_mtime) if out.parent.is_dir() else []
            for folder in used[: 1 - EXPORTS]:
                shutil.rmtree(folder)
            listing = self.stages.cache.listing(version.digest)
            if listing is None and repo.config["core"].get("remote"):
                self._fetch(repo, recipe, version)
                listing = self.stages.cache.listing(version.digest)
            if listing is None or not self.stages.cache.whole(version.digest):
                raise DataError(f"The data version {version.digest} of {recipe} is gone.", do="run the recipe again")
            with replacing(out) as folder:
                for path, oid in listing.files.items():
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(self.stages.cache.path(oid), folder / path)
        return out

    def _fetch(self, repo: Any, recipe: str, version: DataVersion) -> None:
        """Get the objects of a version from the remote, leaving dvc.lock and the specs as they are."""
        before = self._written(recipe)
        try:
            self._enter(recipe, version)
            with using_remote(repo, repo.config["core"]["remote"]):
                repo.fetch(targets=[f"{stage}@{recipe}" for stage in OUTS])
        finally:
            for path, text in before.items():
                write_text(path, text)

    def _written(self, recipe: str) -> dict[Path, str]:
        """What `_enter` writes over, as it is now."""
        paths = (self.workspace.root / "dvc.lock", *(self.stages.spec(recipe, stage) for stage in OUTS))
        return {path: path.read_text() for path in paths if path.exists()}

    def versions(self, recipe: str) -> list[DataVersion]:
        """The versions made so far, oldest first. Raises FormatError where they cannot be read."""
        return stored.read_lines(DataVersion, self.workspace.data / recipe / "versions.jsonl")

    def current(self, recipe: str) -> str | None:
        """DVC hash of the cleaned data in the workspace; None where there is none."""
        lock = parsed(self.workspace.root / "dvc.lock") or {}
        known = f"clean@{recipe}" in lock.get("stages", {})
        return self.stages.digest(recipe, "clean") if known else None

    def _record(self, recipe: str, digest: str) -> None:
        """Note a version that was not there before, so that it can be brought back."""
        known = self.versions(recipe)
        if any(version.digest == digest for version in known):
            return
        entries = (parsed(self.workspace.root / "dvc.lock") or {})["stages"]
        version = DataVersion(
            digest=digest,
            raw=self.stages.digest(recipe, "collect"),
            recorded=datetime.now(UTC).isoformat(timespec="seconds"),
            contents=contents_of(self.workspace.clean(recipe)),
            specs={stage: json.loads(self.stages.spec(recipe, stage).read_text()) for stage in OUTS},
            locks={stage: entries[f"{stage}@{recipe}"] for stage in OUTS},
        )
        lines = "".join(f"{stored.line(each)}\n" for each in (*known, version))
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
        lock = parsed(path) or {"schema": "2.0", "stages": {}}
        for stage in OUTS:
            write_json(self.stages.spec(recipe, stage), version.specs[stage])
            lock["stages"][f"{stage}@{recipe}"] = version.locks[stage]
        write_text(path, yaml.safe_dump(lock, sort_keys=False))
