"""Model versions and aliases in MLflow: registered once, verified before use, moved under a lock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.artifacts
import mlflow.pyfunc
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus
from mlflow.models import Model as LoggedFiles
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from genwright import __version__, bundle
from genwright.adapters import pyfunc
from genwright.adapters.tracking import Tracking
from genwright.durable import exclusive, sha256
from genwright.errors import GenwrightError, ModelError, ServiceError, nearest
from genwright.ledger import Entry, Ledger
from genwright.recipe import Recipe
from genwright.records import Decision, Evaluation, ModelVersion, TrainedModel, fingerprint

CHAMPION, PREVIOUS = "champion", "previous"
BUNDLE = "bundle"  # the folder of the model within the logged artifacts
REQUIREMENTS = ("mlflow", "torch", "safetensors", "numpy", "pandas")
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.string, "condition", required=False), ColSpec(DataType.string, "prompt", required=False)]),
    outputs=Schema([ColSpec(DataType.long, "row"), *(ColSpec(DataType.string, name) for name in ("media_type", "content"))]),
    params=ParamSchema(
        [
            ParamSpec("n", DataType.long, 1),
            ParamSpec("seed", DataType.long, 0),
            ParamSpec("options", DataType.string, "{}"),
        ]
    ),
)
"""A row asks for `n` samples from `seed`; `options` is a JSON object of the family's sampling options."""

EXAMPLE = ({"condition": [""], "prompt": [""]}, {"n": 2, "seed": 7})


class Registry(Tracking):
    """Model versions of a workspace. A version is the same one when weights, data and recipe are the same."""

    def register(
        self,
        name: str,
        folder: Path,
        *,
        run: str,
        trained: TrainedModel,
        evaluation: Evaluation,
        recipe: Recipe,
        pipeline: str = "",
    ) -> ModelVersion:
        """Upload a bundle and create its version, or give the one that is there. Killed anywhere, a repeated call finishes
        what was begun and leaves one version. Raises ModelError when the bundle does not verify."""
        bundle.verify(folder)
        if (held := sha256(folder / bundle.WEIGHTS)) != trained.weights:
            raise ModelError("The weights on disk are not those that were trained.", got=held, allowed=trained.weights)
        identity = {
            "genwright.weights": trained.weights,
            "genwright.data": trained.data,
            "genwright.recipe": fingerprint(recipe),
        }
        tags = {**identity, "genwright.manifest": sha256(folder / bundle.MANIFEST), "genwright.pipeline": pipeline}
        _ = self.client
        with self.service("registering a model"), exclusive(self.workspace.lock(f"register-{name}"), busy="", wait=True):
            found = self._versions(name, identity)
            if found:
                version = min(found, key=lambda v: int(v.version))
            else:
                model = self._uploaded(name, folder, run, tags)
                if self._model(name) is None:
                    self.client.create_registered_model(name, description=recipe.description)
                # A server resolves the model itself; a database opened here cannot without MLflow's process-wide address.
                source = f"models:/{model.model_id}" if self.remote else model.artifact_location
                version = self.client.create_model_version(name, source, run_id=run, tags=tags, model_id=model.model_id)
            for measure, measured in evaluation.measures.items():
                self.client.set_model_version_tag(name, str(version.version), f"test.{measure}", f"{measured.value:.6g}")
        return _record(version)

    def _uploaded(self, name: str, folder: Path, run: str, tags: dict[str, str]) -> LoggedModel:
        """The logged model with those tags, finished; one that a crash left unfinished is filled again."""
        experiment = self.client.get_run(run).info.experiment_id
        wanted = " and ".join(f"tags.`{key}` = '{tags[key]}'" for key in ("genwright.weights", "genwright.manifest"))
        there = list(self.client.search_logged_models([experiment], wanted))
        ready = [model for model in there if model.status == LoggedModelStatus.READY]
        if ready:
            return ready[0]
        model = there[0] if there else self.client.create_logged_model(experiment, name, run, tags, model_type="generator")
        with TemporaryDirectory(dir=_made(self.workspace.state)) as place:
            shutil.copytree(folder, Path(place) / BUNDLE)
            files = Path(place) / "model"
            mlflow.pyfunc.save_model(
                path=files,
                python_model=pyfunc.__file__,
                artifacts={BUNDLE: str(Path(place) / BUNDLE)},
                mlflow_model=LoggedFiles(
                    artifact_path=model.artifact_location, model_uuid=model.model_id, run_id=run, model_id=model.model_id
                ),
                signature=SIGNATURE,
                input_example=EXAMPLE,
                pip_requirements=[
                    f"genwright=={__version__}",
                    *(f"{package}=={installed(package)}" for package in REQUIREMENTS),
                ],
                metadata=tags,
            )
            shutil.rmtree(files / "__pycache__", ignore_errors=True)
            self.client.log_model_artifacts(model.model_id, str(files))
        self.client.log_outputs(run, [LoggedModelOutput(model.model_id, 0)])
        return self.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)

    def _versions(self, name: str, tags: dict[str, str]) -> list[Any]:
        wanted = "".join(f" and tags.`{key}` = '{value}'" for key, value in tags.items())
        return list(self.client.search_model_versions(f"name = '{name}'{wanted}"))

    def _model(self, name: str) -> Any | None:
        """The registered model with its aliases, or None. A search, because «not found» may also be said of an address."""
        found = [model for model in self.client.search_registered_models(f"name = '{name}'") if model.name == name]
        return found[0] if found else None

    def _empty(self) -> bool:
        """Whether nothing was ever written to the embedded database; asking does not create it."""
        return self.embedded and not self.database.exists()

    def names(self) -> list[str]:
        """Registered models, in alphabetical order."""
        if self._empty():
            return []
        with self.service("listing models"):
            return sorted(model.name for model in self.client.search_registered_models())

    def versions(self, name: str) -> list[ModelVersion]:
        """Every version of a model, oldest first."""
        if self._empty():
            return []
        with self.service(f"listing the versions of {name}"):
            return sorted((_record(v) for v in self._versions(name, {})), key=lambda v: v.version)

    def alias(self, name: str, alias: str) -> int | None:
        """The version an alias points to; None when there is none. Raises ServiceError when that cannot be read."""
        if self._empty():
            return None
        with self.service(f"reading the {alias} of {name}"):
            model = self._model(name)
        number = None if model is None else model.aliases.get(alias)
        return None if number is None else int(number)

    def champion(self, name: str) -> ModelVersion | None:
        """The champion; None only when there is none. Raises ServiceError when it cannot be read."""
        number = self.alias(name, CHAMPION)
        if number is None:
            return None
        with self.service(f"reading the champion of {name}"):
            return _record(self.client.get_model_version(name, str(number)))

    def version(self, name: str, number: int) -> ModelVersion:
        """One version. Raises ModelError naming those there are."""
        there = self.versions(name)
        for version in there:
            if version.version == number:
                return version
        if not there:
            raise self._unknown(name)
        numbers = ", ".join(str(v.version) for v in there)
        raise ModelError(f"{name} has no version {number}.", got=number, allowed=numbers)

    def current(self, name: str) -> ModelVersion:
        """The champion. Raises ModelError where there is none, naming what there is."""
        champion = self.champion(name)
        if champion is not None:
            return champion
        there = self.versions(name)
        if not there:
            raise self._unknown(name)
        newest = there[-1].version
        raise ModelError(
            f"{name} has {len(there)} version(s) but no champion.",
            do=f"`genwright promote {name} {newest}`, or ask for it with --version {newest}",
        )

    def _unknown(self, name: str) -> ModelError:
        names = self.names()
        return ModelError(
            f"No model is registered as {name!r}{nearest(name, names)}.",
            got=name,
            allowed=", ".join(names) or None,
            do=f"`genwright run {name}` makes one",
        )

    def tag(self, version: ModelVersion, key: str, value: str) -> None:
        """Set a tag of a version."""
        with self.service("writing a tag"):
            self.client.set_model_version_tag(version.name, str(version.version), key, value)

    def tags(self, version: ModelVersion) -> dict[str, str]:
        """The tags of a version."""
        with self.service("reading tags"):
            return dict(self.client.get_model_version(version.name, str(version.version)).tags)

    def download(self, version: ModelVersion, *, fresh: bool = False) -> Path:
        """The bundle folder of a version, whose every byte is as registered; kept in the workspace, `fresh` fetches it anew.

        Nothing of it is imported or unpickled. Raises ModelError when files are gone, altered, or more than there should be.
        """
        folder = self.workspace.state / "models" / version.name / str(version.version)
        manifest = self.tags(version).get("genwright.manifest", "")
        with exclusive(self.workspace.lock(f"model-{version.name}-{version.version}"), busy="", wait=True):
            if not fresh and folder.is_dir() and _intact(folder, version, manifest):
                return folder
            with TemporaryDirectory(dir=_made(folder.parent), prefix=".") as place:
                fetched = self._fetch(version, place)
                _check(fetched, version, manifest)
                shutil.rmtree(folder, ignore_errors=True)
                fetched.rename(folder)
        return folder

    def _fetch(self, version: ModelVersion, place: str) -> Path:
        try:
            location = self.client.get_model_version_download_uri(version.name, str(version.version))
            got = mlflow.artifacts.download_artifacts(
                f"{location}/artifacts/{BUNDLE}", dst_path=place, tracking_uri=self.uri, registry_uri=self.uri
            )
        except Exception as error:  # artifact stores of every kind raise their own
            raise ModelError(
                f"The files of {version.name} version {version.version} cannot be fetched.",
                got=error,
                do="promote a version whose files are there, or run the recipe again",
            ) from error
        return Path(got)

    def ledger(self, name: str) -> Ledger:
        return Ledger(self.workspace.state / "ledger", name)

    def refuse(self, name: str, after: int, why: str, decision: Decision | None = None) -> Entry:
        """Note in the ledger that a promotion was refused."""
        return self.ledger(name).append("refused", before=self.alias(name, CHAMPION), after=after, why=why, decision=decision)

    def move_alias(
        self,
        version: ModelVersion,
        *,
        expected: int | None,
        why: str,
        who: str | None = None,
        decision: Decision | None = None,
        back: bool = False,
    ) -> Entry:
        """Make a version the champion. `expected` is the champion that was decided upon; when it has changed meanwhile, the
        move is refused, the ledger says so, and ServiceError is raised. `back` marks a rollback."""
        name, ledger = version.name, self.ledger(version.name)
        _ = self.client
        with self._promoting(name):
            before = self.settle(name)
            if before != expected:
                words = f"the champion is {_word(before)} now, the decision was made against {_word(expected)}"
                ledger.append(
                    "refused", before=before, after=version.version, why=f"{words} ({why})", decision=decision, who=who
                )
                raise ServiceError(
                    f"{name} version {version.version} was not promoted: another promotion came first.",
                    got=words,
                    do="compare again with the champion there is now",
                )
            line = ledger.champions()
            number = str(version.version)
            with self.service("moving the champion"):
                previous = line[line.index(version.version) - 1] if back and version.version in line[1:] else before
                if back and version.version in line[:1]:
                    self.client.delete_registered_model_alias(name, PREVIOUS)
                elif previous is not None and previous != version.version:
                    self.client.set_registered_model_alias(name, PREVIOUS, str(previous))
                self.client.set_registered_model_alias(name, CHAMPION, number)
            what = "rolled back" if back else "promoted"
            return ledger.append(what, before=before, after=version.version, why=why, decision=decision, who=who)

    @contextmanager
    def _promoting(self, name: str) -> Iterator[None]:
        with exclusive(self.workspace.lock(f"promote-{name}"), busy="", wait=True):
            yield

    def settle(self, name: str) -> int | None:
        """The champion, after the ledger has been told of a move it does not know of. Call under the promotion lock."""
        champion, line = self.alias(name, CHAMPION), self.ledger(name).champions()
        known = line[-1] if line else None
        if champion != known:
            why = "the alias was found moved: by other means, or by a process that ended before it wrote here"
            self.ledger(name).append("noticed", before=known, after=champion, why=why)
        return champion


def _record(version: Any) -> ModelVersion:
    """Raises ModelError for a version that Genwright did not register."""
    tags = version.tags
    try:
        return ModelVersion(
            name=version.name,
            version=int(version.version),
            weights=tags["genwright.weights"],
            data=tags["genwright.data"],
            recipe=tags["genwright.recipe"],
            run=version.run_id or "",
        )
    except KeyError as error:
        raise ModelError(
            f"Version {version.version} of {version.name} was not registered by Genwright.", got=f"no tag {error}"
        ) from error


def _check(folder: Path, version: ModelVersion, manifest: str) -> None:
    """Raises ModelError unless a bundle is byte for byte the registered one."""
    hashes = bundle.verify(folder)
    if hashes.get(bundle.WEIGHTS) != version.weights or sha256(folder / bundle.MANIFEST) != manifest:
        raise ModelError(
            f"The files of {version.name} version {version.version} are not those that were registered.",
            got=hashes.get(bundle.WEIGHTS),
            allowed=version.weights,
            do="promote a version whose files are there, or run the recipe again",
        )


def _intact(folder: Path, version: ModelVersion, manifest: str) -> bool:
    try:
        _check(folder, version, manifest)
    except GenwrightError:
        return False
    return True


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _word(number: int | None) -> str:
    return "none" if number is None else f"version {number}"
