"""Packages as sources, fetched by the real clients from registries made in a temporary folder."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from genwright.core.errors import DataError
from genwright.data.sources.package import Package, PackageOptions
from tests.web import serving


def source(base: Path, **options: object) -> Package:
    chosen = PackageOptions.model_validate(options)
    return Package(chosen, base=base, cache=base / "cache", suffixes=frozenset({".txt"}))


def contents(made: Package) -> dict[str, bytes]:
    return {item.name: item.data for item in made.items()}


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that pip looks in instead of an index: a wheel, and a source distribution."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny_data-1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_data/cat.txt", "cat")
        wheel.writestr("tiny_data/__init__.py", "")
        wheel.writestr("tiny_data-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.2\n")
        wheel.writestr("tiny_data-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny_data-1.2.dist-info/RECORD", "")
    script = f"open({str(tmp_path / 'was-run')!r}, 'w')\nfrom setuptools import setup\nsetup(name='runs-code', version='1.0')\n"
    with tarfile.open(folder / "runs-code-1.0.tar.gz", "w:gz") as sdist:
        for name, text in (("setup.py", script), ("PKG-INFO", "Metadata-Version: 2.1\nName: runs-code\nVersion: 1.0\n")):
            info = tarfile.TarInfo(f"runs-code-1.0/{name}")
            info.size = len(text)
            sdist.addfile(info, io.BytesIO(text.encode()))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_wheel_is_unpacked_and_kept(wheels: Path, tmp_path: Path) -> None:
    first = source(tmp_path, manager="pip", package="tiny-data", version="1.2", licence="MIT")
    (item,) = first.items()
    assert (item.name, item.data, item.source, item.licence) == ("tiny_data/cat.txt", b"cat", "pip:tiny-data==1.2", "MIT")
    shutil.rmtree(wheels)
    again = source(tmp_path, manager="pip", package="tiny-data", version="1.2", licence="MIT")
    assert again.state() == first.state()
    assert list(again.items()) == [item]


def test_a_source_distribution_is_refused_and_never_run(wheels: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only wheels are taken"):
        source(tmp_path, manager="pip", package="runs-code", version="1.0").state()
    assert not (tmp_path / "was-run").exists()


def test_a_version_that_is_not_there_is_named_by_the_client(wheels: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pip:tiny-data==9\.9 could not be fetched") as caught:
        source(tmp_path, manager="pip", package="tiny-data", version="9.9").state()
    assert "No matching distribution" in str(caught.value)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on this machine")
def test_an_npm_package_is_unpacked_without_its_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    manifest = {"name": "tiny", "version": "1.0.0", "scripts": {"prepare": f"touch {tmp_path / 'was-run'}"}}
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (("package/package.json", json.dumps(manifest)), ("package/texts/one.txt", "one")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    with serving() as files, serving() as registry:
        files.body = packed.getvalue()
        sums = "sha512-" + base64.b64encode(hashlib.sha512(files.body).digest()).decode()
        about = {**manifest, "dist": {"tarball": f"{files.url}/tiny-1.0.0.tgz", "integrity": sums}}
        listing = {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": about}}
        registry.body = json.dumps(listing).encode()
        for name, value in (("registry", registry.url), ("cache", str(tmp_path / "npm")), ("userconfig", "/dev/null")):
            monkeypatch.setenv(f"npm_config_{name}", value)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        made = source(tmp_path, manager="npm", package="tiny", version="1.0.0", labels="subfolder")
        (item,) = made.items()
    assert (item.name, item.data, item.columns.get("label")) == ("texts/one.txt", b"one", b"texts")
    assert not (tmp_path / "was-run").exists()


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not on this machine")
def test_a_debian_package_at_the_version_the_lists_offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, repository = tmp_path / "tree", tmp_path / "repository"
    for name, text in (
        (
            "DEBIAN/control",
            "Package: tiny-texts\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: x\n",
        ),
        ("DEBIAN/postinst", f"#!/bin/sh\ntouch {tmp_path / 'was-run'}\n"),
        ("usr/share/tiny/one.txt", "one"),
    ):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.endswith("postinst") else 0o644)
    (tree / "usr/share/tiny/out.txt").symlink_to("/etc/passwd")
    repository.mkdir()
    deb = repository / "tiny-texts_2.0-1_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True, capture_output=True)
    stanza = (tree / "DEBIAN/control").read_text()
    stanza += f"Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {hashlib.sha256(deb.read_bytes()).hexdigest()}\n"
    (repository / "Packages").write_text(stanza)
    apt = tmp_path / "apt"
    for name in ("state/lists/partial", "cache/archives/partial", "etc"):
        (apt / name).mkdir(parents=True)
    (apt / "state/status").touch()
    (apt / "etc/sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    config = {
        **{"Dir::State": apt / "state", "Dir::State::status": apt / "state/status", "Dir::Cache": apt / "cache"},
        **{
            "Dir::Etc::sourcelist": apt / "etc/sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "APT::Sandbox::User": "root",
        },
    }
    (apt / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in config.items()))
    monkeypatch.setenv("APT_CONFIG", str(apt / "apt.conf"))
    subprocess.run(["apt-get", "update"], check=True, capture_output=True, env=dict(os.environ))

    made = source(tmp_path, manager="apt", package="tiny-texts")
    assert contents(made) == {"usr/share/tiny/one.txt": b"one"}
    assert made.state().startswith("1:2.0-1:")
    assert list(made.skipped.values()) == ["a link, device or pipe, not a plain file"]
    assert not (tmp_path / "was-run").exists()
    with pytest.raises(DataError, match="apt:tiny-text"):
        source(tmp_path, manager="apt", package="tiny-text").state()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"manager": "npm", "package": "openmoji"}, "give the `version`"),
        ({"manager": "pip", "package": "x", "version": "latest"}, "pattern"),
        ({"manager": "npm", "package": "../tree", "version": "1.0.0"}, "not the name of a package"),
        ({"manager": "npm", "package": "git+https://example.org/x", "version": "1.0.0"}, "not the name of a package"),
        ({"manager": "pip", "package": "--index-url=http://example.org", "version": "1"}, "not the name of a package"),
        ({"manager": "cargo", "package": "x", "version": "1"}, "'pip', 'npm' or 'apt'"),
    ],
)
def test_what_is_no_pinned_package_is_refused_in_the_recipe(options: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        PackageOptions.model_validate(options)
