"""Packages of pip, npm and apt: fetched by their ordinary client, unpacked, never installed; nothing of theirs runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from genwright.core import stored
from genwright.core.durable import exclusive, sha256
from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.core.stored import Stored
from genwright.data.fetch.unpack import unpack, unpack_tar

Manager = Literal["pip", "npm", "apt"]
SECONDS = 900
"""Longest a client may take."""

_NAMES = {
    "pip": r"[A-Za-z0-9][A-Za-z0-9._-]*",
    "npm": r"(@[a-z0-9][a-z0-9._~-]*/)?[a-z0-9][a-z0-9._~-]*",
    "apt": r"[a-z0-9][a-z0-9.+-]+",
}


class PackageChoice(Record):
    """One package. pip and npm take an exact version; apt without one means the version this machine's lists offer."""

    manager: Manager
    package: str
    version: str | None = Field(None, pattern=r"^[0-9][A-Za-z0-9.:+~!_-]*$", description="exact, e.g. 17.0.0")

    @model_validator(mode="after")
    def _pinned(self) -> PackageChoice:
        if not re.fullmatch(_NAMES[self.manager], self.package):
            raise ValueError(f"{self.package!r} is not the name of a package of {self.manager}")
        if self.version is None and self.manager != "apt":
            raise ValueError(f"give the `version` of the {self.manager} package, so that the data stays the same")
        return self

    @property
    def title(self) -> str:
        return f"{self.manager}:{self.package}" + (f"=={self.version}" if self.version else "")


class Fetched(Stored):
    """A package in the cache: the version it has and the archive members that were not unpacked, with reasons."""

    form = "package"

    version: str
    file: str
    sha256: str
    skipped: dict[str, str]


def fetch(choice: PackageChoice, cache: Path) -> tuple[Fetched, Path]:
    """The package and the folder with its files, from the cache where it has been fetched before.

    Raises DataError when the client is missing, does not find the package, or the package is damaged.
    """
    version = choice.version or _offered_by_apt(choice.package)
    folder = cache / "packages" / choice.manager / choice.package.replace("/", "+") / version
    with exclusive(folder.with_name(f".{version}.lock"), busy="", wait=True):
        fetched = stored.readable(Fetched, folder / "fetched.json")
        if fetched is None:
            shutil.rmtree(folder, ignore_errors=True)
            fetched = _fetch(choice.model_copy(update={"version": version}), folder)
    inner = folder / "files" / "package"
    return fetched, inner if choice.manager == "npm" and inner.is_dir() else folder / "files"


def _fetch(choice: PackageChoice, folder: Path) -> Fetched:
    """Fill `folder`: the package as it came, `files/` unpacked from it, and last `fetched.json`."""
    assert choice.version is not None
    arrived = folder / "arrived"
    arrived.mkdir(parents=True)
    wanted = {"pip": f"{choice.package}=={choice.version}", "npm": f"{choice.package}@{choice.version}"}
    command = {
        "pip": [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"],
        "npm": ["npm", "pack", "--ignore-scripts", "--loglevel=error"],
        "apt": ["apt-get", "download", "--quiet"],
    }[choice.manager]
    hint = {
        "pip": "check name and version; only wheels are taken, since pip runs the build script of a source distribution",
        "npm": "check name and version: `npm view NAME versions`",
        "apt": "check name and version: `apt-cache policy NAME`; `apt-get update` brings the lists up to date",
    }[choice.manager]
    _call([*command, wanted.get(choice.manager, f"{choice.package}={choice.version}")], arrived, choice.title, hint)
    archives = [path for path in arrived.iterdir() if path.suffix in (".whl", ".tgz", ".deb")]
    if len(archives) != 1:
        raise DataError(f"{choice.title} did not arrive.", got=[p.name for p in arrived.iterdir()], do=hint)
    archive = archives[0]
    skipped = _unpack_deb(archive, folder / "files") if archive.suffix == ".deb" else unpack(archive, folder / "files")
    fetched = Fetched(version=choice.version, file=archive.name, sha256=sha256(archive), skipped=skipped)
    stored.write(folder / "fetched.json", fetched)
    return fetched


def _unpack_deb(archive: Path, into: Path) -> dict[str, str]:
    """The files of a Debian package; dpkg-deb decompresses, the tar is read here."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            skipped = unpack_tar(process.stdout, archive.stat().st_size, archive.name, into)
            process.stdout.read()
            said = process.stderr.read().decode(errors="replace").strip()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise DataError(f"{archive.name} is damaged.", got=said, do="run the command again")
    return skipped


def _offered_by_apt(package: str) -> str:
    """The version of a package in this machine's apt lists."""
    hint = "`apt-get update` brings the lists up to date; apt is there on Debian and Ubuntu only"
    told = _call(["apt-cache", "show", "--no-all-versions", package], Path.cwd(), f"apt:{package}", hint)
    versions = re.findall(r"^Version: (\S+)$", told, flags=re.MULTILINE)
    if not versions:
        raise DataError(f"apt does not know the package {package!r}.", do=hint)
    return str(versions[0])


def _call(command: list[str], folder: Path, title: str, hint: str) -> str:
    """What a client printed. Raises DataError with its own last words when it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=SECONDS, text=True, errors="replace", check=False
        )
    except FileNotFoundError as error:
        raise DataError(f"{title} needs {command[0]!r}, which is not on this machine.", do=f"install it; {hint}") from error
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{title} took longer than {SECONDS // 60} minutes to fetch.", do="run the command again") from error
    if done.returncode:
        problem = "\n           ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise DataError(f"{title} could not be fetched.", got=problem or f"exit status {done.returncode}", do=hint)
    return done.stdout
