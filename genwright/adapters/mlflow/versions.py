"""Model versions in MLflow: code, safetensors and config, registered once and verified before use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow.artifacts
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus

from genwright.adapters.mlflow.connection import Connection
from genwright.adapters.mlflow.packaging import BUNDLE, packed
from genwright.core.durable import exclusive, sha256
from genwright.core.errors import GenwrightError, ModelError, nearest
from genwright.core.workspace import Workspace
from genwright.evaluation.records import Evaluation, tag
from genwright.models import bundle, composition
from genwright.models.records import ModelVersion, Used, VersionFacts


class Versions:
    """Model versions of a workspace. A version is the same one when weights, data and recipe are the same.

    Every method raises ServiceError where MLflow does not answer or refuses.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.mlflow = workspace, Connection(workspace)

    def register(self, name: str, folder: Path, *, run: str, facts: VersionFacts, evaluation: Evaluation) -> ModelVersion:
        """Upload a bundle or composition and create its version, or give the one that is there. Killed anywhere, a repeated
        call finishes what was begun and leaves one version. Raises ModelError when the files do not verify."""
        if (held := composition.identity(folder)) != facts.weights:
            raise ModelError("The weights on disk are not those that were trained.", got=held, allowed=facts.weights)
        tags = facts.tags | {"genwright.manifest": sha256(folder / bundle.MANIFEST)}
        _ = self.mlflow.client
        with (
            self.mlflow.service("registering a model"),
            exclusive(self.workspace.lock(f"register-{name}"), busy="", wait=True),
        ):
            found = self._found(name, facts.identity)
            if found:
                version = min(found, key=lambda v: int(v.version))
                if not self._fetchable(record(version)):
                    self._fill(self._logged(name, run, tags), folder, tags)
            else:
                version = self._create(name, self._filled(name, folder, run, tags), run, tags, facts.description)
            for measure, measured in evaluation.measures.items():
                self.mlflow.client.set_model_version_tag(name, str(version.version), tag(measure), f"{measured.value:.6g}")
        return record(version)

    def opened(self, version: ModelVersion, *, fresh: bool = False) -> tuple[Path, dict[str, Path]]:
        """The folder of a version as `download` gives it, and those of the versions that it pins, by the name it has for
        each. Raises ModelError also when one of them is not the one that was pinned."""
        folder = self.download(version, fresh=fresh)
        return folder, self.pins(folder, fresh=fresh)

    def pins(self, folder: Path, *, fresh: bool = False) -> dict[str, Path]:
        """Where the versions lie that a model or composition pins, by the name it has for each. Raises ModelError."""
        return self.folders(composition.pinned(folder), fresh=fresh)

    def folders(self, uses: Mapping[str, Used], *, fresh: bool = False) -> dict[str, Path]:
        """Where versions lie that are pinned, by the same names. Raises ModelError."""
        found = {}
        for key, used in uses.items():
            there = self.get(used.model, used.version)
            if there.weights != used.weights:
                raise ModelError(f"{used.model} version {used.version} is not the one that was pinned.", got=there.weights)
            found[key] = self.download(there, fresh=fresh)
        return found

    def _create(self, name: str, model: LoggedModel, run: str, tags: dict[str, str], description: str) -> Any:
        if self.model(name) is None:
            self.mlflow.client.create_registered_model(name, description=description)
        # A server resolves the model itself; a database opened here cannot without MLflow's process-wide address.
        source = f"models:/{model.model_id}" if self.mlflow.remote else model.artifact_location
        return self.mlflow.client.create_model_version(name, source, run_id=run, tags=tags, model_id=model.model_id)

    def _filled(self, name: str, folder: Path, run: str, tags: dict[str, str]) -> LoggedModel:
        """The logged model, linked to its run and complete; one that a crash left unfinished is filled again."""
        model = self._logged(name, run, tags)
        outputs = self.mlflow.client.get_run(run).outputs
        if outputs is None or model.model_id not in [output.model_id for output in outputs.model_outputs]:
            self.mlflow.client.log_outputs(run, [LoggedModelOutput(model.model_id, 0)])
        return model if model.status == LoggedModelStatus.READY else self._fill(model, folder, tags)

    def _logged(self, name: str, run: str, tags: dict[str, str]) -> LoggedModel:
        """The logged model with those tags, created where there is none."""
        experiment = self.mlflow.client.get_run(run).info.experiment_id
        there = self._stored(experiment, tags)
        return (
            there[0] if there else self.mlflow.client.create_logged_model(experiment, name, run, tags, model_type="generator")
        )

    def _stored(self, experiment: str, tags: dict[str, str]) -> list[LoggedModel]:
        keys = ("genwright.weights", "genwright.manifest", "genwright.recipe")
        wanted = " and ".join(f"tags.`{key}` = '{tags[key]}'" for key in keys)
        return list(self.mlflow.client.search_logged_models([experiment], wanted))

    def _fill(self, model: LoggedModel, folder: Path, tags: dict[str, str]) -> LoggedModel:
        """Write the files of a logged model: code, environment, signature and the bundle."""
        with _emptied(self.workspace.state / "staging" / model.name) as place:
            packed_files = packed(model, folder, self.pins(folder), tags, place)
            self.mlflow.client.log_model_artifacts(model.model_id, str(packed_files))
        return self.mlflow.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)

    def _fetchable(self, version: ModelVersion) -> bool:
        try:
            self.download(version, fresh=True)
        except ModelError:
            return False
        return True

    def _found(self, name: str, tags: dict[str, str]) -> list[Any]:
        wanted = "".join(f" and tags.`{key}` = '{value}'" for key, value in tags.items())
        return list(self.mlflow.client.search_model_versions(f"name = '{name}'{wanted}"))

    def model(self, name: str) -> Any | None:
        """The registered model with its aliases, or None. A search, because «not found» may also be said of an address."""
        found = [model for model in self.mlflow.client.search_registered_models(f"name = '{name}'") if model.name == name]
        return found[0] if found else None

    def names(self) -> list[str]:
        """Registered models, in alphabetical order."""
        if self.mlflow.empty:
            return []
        with self.mlflow.service("listing models"):
            return sorted(model.name for model in self.mlflow.client.search_registered_models(max_results=1000))

    def of(self, name: str) -> list[ModelVersion]:
        """Every version of a model that Genwright registered, oldest first."""
        if self.mlflow.empty:
            return []
        with self.mlflow.service(f"listing the versions of {name}"):
            return sorted((record(v) for v in self._found(name, {}) if registered(v)), key=lambda v: v.version)

    def foreign(self, name: str) -> list[int]:
        """The versions of a model that a person or another program made: nothing is known of what they are."""
        if self.mlflow.empty:
            return []
        with self.mlflow.service(f"listing the versions of {name}"):
            return sorted(int(v.version) for v in self._found(name, {}) if not registered(v))

    def get(self, name: str, number: int) -> ModelVersion:
        """One version. Raises ModelError naming those there are."""
        there = self.of(name)
        for version in there:
            if version.version == number:
                return version
        if not there:
            raise self.unknown(name)
        numbers = ", ".join(str(v.version) for v in there)
        if number in self.foreign(name):
            raise ModelError(f"Version {number} of {name} was not registered by Genwright.", got=number, allowed=numbers)
        raise ModelError(f"{name} has no version {number}.", got=number, allowed=numbers)

    def unknown(self, name: str) -> ModelError:
        """The error for a name under which nothing is registered."""
        names = self.names()
        return ModelError(
            f"No model is registered as {name!r}{nearest(name, names)}.",
            got=f"{name}, looked for in the workspace {self.workspace.root}",
            allowed=", ".join(names) or None,
            do=f"`genwright run {name}` makes one",
        )

    def made(self, version: ModelVersion) -> datetime:
        """When a version was registered."""
        with self.mlflow.service("reading a version"):
            found = self.mlflow.client.get_model_version(version.name, str(version.version))
        return datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)

    def tag(self, version: ModelVersion, key: str, value: str) -> None:
        """Set a tag of a version."""
        with self.mlflow.service("writing a tag"):
            self.mlflow.client.set_model_version_tag(version.name, str(version.version), key, value)

    def tags(self, version: ModelVersion) -> dict[str, str]:
        """The tags of a version."""
        with self.mlflow.service("reading tags"):
            return dict(self.mlflow.client.get_model_version(version.name, str(version.version)).tags)

    def download(self, version: ModelVersion, *, fresh: bool = False) -> Path:
        """The bundle folder of a version, whose every byte is as registered; kept in the workspace, `fresh` fetches it anew.

        Nothing of it is imported or unpickled. Raises ModelError when files are gone, altered, or more than there should be.
        """
        folder = self.workspace.state / "models" / version.name / str(version.version)
        manifest = self.tags(version).get("genwright.manifest", "")
        with exclusive(self.workspace.lock(f"model-{version.name}-{version.version}"), busy="", wait=True):
            if not fresh and folder.is_dir() and _intact(folder, version, manifest):
                return folder
            with _emptied(folder.with_name(f".{folder.name}")) as place:
                fetched = self._fetch(version, place)
                _check(fetched, version, manifest)
                shutil.rmtree(folder, ignore_errors=True)
                fetched.rename(folder)
        return folder

    def delete(self, version: ModelVersion) -> None:
        """Remove a version and its files, here and in MLflow; its run with the measures stays."""
        with self.mlflow.service("removing a version"):
            tags, experiment = self.tags(version), self.mlflow.client.get_run(version.run).info.experiment_id
            self.mlflow.client.delete_model_version(version.name, str(version.version))
            for model in self._stored(experiment, tags):
                self.mlflow.client.delete_logged_model(model.model_id)
                place = urlsplit(model.artifact_location)
                files = Path(url2pathname(place.path)).resolve()
                # MLflow itself leaves the files where they are. What lies outside the workspace is not ours to remove.
                if self.mlflow.embedded and place.scheme in ("", "file") and files.is_relative_to(self.mlflow.artifacts):
                    shutil.rmtree(files, ignore_errors=True)
        shutil.rmtree(self.workspace.state / "models" / version.name / str(version.version), ignore_errors=True)

    def _fetch(self, version: ModelVersion, place: Path) -> Path:
        try:
            location = self.mlflow.client.get_model_version_download_uri(version.name, str(version.version))
            got = mlflow.artifacts.download_artifacts(
                f"{location}/artifacts/{BUNDLE}",
                dst_path=str(place),
                tracking_uri=self.mlflow.uri,
                registry_uri=self.mlflow.uri,
            )
        except Exception as error:  # artifact stores of every kind raise their own
            raise ModelError(
                f"The files of {version.name} version {version.version} cannot be fetched.",
                got=error,
                do="promote a version whose files are there, or run the recipe again",
            ) from error
        return Path(got)


IDENTITY = ("weights", "data", "recipe")


def registered(version: Any) -> bool:
    """Whether a version is one that Genwright registered."""
    return all(f"genwright.{key}" in version.tags for key in IDENTITY)


def record(version: Any) -> ModelVersion:
    """One that Genwright registered."""
    told = {key: version.tags[f"genwright.{key}"] for key in IDENTITY}
    return ModelVersion(name=version.name, version=int(version.version), run=version.run_id or "", **told)


def _check(folder: Path, version: ModelVersion, manifest: str) -> None:
    """Raises ModelError unless a bundle is byte for byte the registered one."""
    try:
        held = composition.identity(folder)
        fault = held if held != version.weights or sha256(folder / bundle.MANIFEST) != manifest else None
    except ModelError as error:
        fault = str(error.got)
    if fault is not None:
        raise ModelError(
            f"The files of {version.name} version {version.version} are not those that were registered.",
            got=fault,
            allowed=version.weights,
            do="promote a version whose files are there, or run the recipe again",
        )


def _intact(folder: Path, version: ModelVersion, manifest: str) -> bool:
    try:
        _check(folder, version, manifest)
    except GenwrightError:
        return False
    return True


@contextmanager
def _emptied(place: Path) -> Iterator[Path]:
    """An empty folder that is gone afterwards; what a killed process left in it goes too."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
