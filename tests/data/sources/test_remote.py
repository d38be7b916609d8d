"""Files at addresses: of a real S3-compatible server, and of the memory of this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from genwright.core.errors import DataError
from genwright.data.item import Item
from genwright.data.sources.remote import Remote, RemoteOptions
from tests import brought, hub
from tests.workspaces import genwright

PNG = frozenset({".png"})


def source(base: Path, address: str, suffixes: frozenset[str] = PNG, **options: Any) -> Remote:
    told = RemoteOptions.model_validate({"address": address, **options})
    return Remote(told, base=base, cache=base / "cache", suffixes=suffixes)


def told(items: Iterator[Item]) -> dict[str, bytes]:
    return {item.name: item.data for item in items}


@pytest.fixture
def memory() -> Iterator[Any]:
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()


def test_files_are_copied_and_again_only_where_they_changed(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {f"{place}.png": data for place, data in enumerate(brought.pictures()[:5])}
    for name, data in wanted.items():
        memory.pipe(f"/shapes/{name}", data)
    shapes = source(tmp_path, "memory://shapes")
    assert told(shapes.items()) == wanted
    state = shapes.state()

    copied: list[Path] = []
    real = Remote._copy
    monkeypatch.setattr(Remote, "_copy", lambda self, fs, path, to: (copied.append(to), real(self, fs, path, to)))
    assert source(tmp_path, "memory://shapes").state() == state
    assert copied == []
    memory.pipe("/shapes/1.png", brought.pictures()[9] + b"more")
    memory.rm("/shapes/2.png")
    memory.pipe("/shapes/../secret.png", b"")
    again = told(source(tmp_path, "memory://shapes").items())
    assert [path.name for path in copied] == ["1.png"]
    assert set(again) == set(wanted) - {"2.png"}
    assert again["1.png"] == brought.pictures()[9] + b"more"


def test_a_copy_that_breaks_off_goes_on(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, data in enumerate(brought.pictures()[:5]):
        memory.pipe(f"/shapes/{place}.png", data)
    real, copied = Remote._copy, list[str]()

    def breaks(self: Remote, fs: Any, path: str, to: Path) -> None:
        if to.name == "3.png" and "3.png" not in copied:
            copied.append("3.png")
            raise self._unreached(ConnectionResetError("reset by peer"))
        copied.append(to.name)
        real(self, fs, path, to)

    monkeypatch.setattr(Remote, "_copy", breaks)
    with pytest.raises(DataError, match="run the same command again"):
        source(tmp_path, "memory://shapes").state()
    assert len(told(source(tmp_path, "memory://shapes").items())) == 5
    assert copied == ["0.png", "1.png", "2.png", "3.png", "3.png", "4.png"]


def test_one_file_is_read_in_its_form(memory: Any, tmp_path: Path) -> None:
    table = brought.prompts(tmp_path / "made") / "train.jsonl"
    memory.pipe("/faq/train.jsonl", table.read_bytes())
    faq = source(tmp_path, "memory://faq/train.jsonl", frozenset({".txt"}), form="table")
    assert len(told(faq.items())) == brought.N


def test_what_cannot_be_is_said(memory: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is nothing at memory://nowhere"):
        source(tmp_path, "memory://nowhere").state()
    memory.pipe("/large/a.png", b"0" * 2**20)
    with pytest.raises(DataError, match="raise `mib`"):
        source(tmp_path, "memory://large", mib=0.5).state()
    with pytest.raises(ValueError, match="no place for 'secret'"):
        source(tmp_path, "memory://x", storage={"client_kwargs": {"secret": "x"}})
    with pytest.raises(DataError, match="pip install gcsfs"):
        source(tmp_path, "gs://bucket/x").state()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3-compatible server of its own, with an empty bucket called `shapes`."""
    server = pytest.importorskip("moto.server")
    import boto3

    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in (("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "mine"), ("AWS_DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    address = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="shapes")
    yield address
    running.stop()


def test_a_bucket_is_read_with_credentials_of_the_environment(bucket: str, tmp_path: Path) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=bucket)
    wanted = {f"{('round', 'square')[n % 2]}/{n}.png": data for n, data in enumerate(brought.pictures()[:20])}
    for name, data in wanted.items():
        client.put_object(Bucket="shapes", Key=f"inbox/{name}", Body=data)
    shapes = source(tmp_path, "s3://shapes/inbox", labels="subfolder", storage={"endpoint_url": bucket})
    found, state = list(shapes.items()), shapes.state()
    assert {item.name: item.data for item in found} == wanted
    assert {item.columns["label"] for item in found} == {b"round", b"square"}
    client.put_object(Bucket="shapes", Key="inbox/round/0.png", Body=brought.pictures()[30])
    assert source(tmp_path, "s3://shapes/inbox", labels="subfolder", storage={"endpoint_url": bucket}).state() != state
    assert "mine" not in "".join(path.read_text() for path in (tmp_path / "cache").rglob("*.json"))
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "mine"


def test_a_data_set_of_hugging_face_is_read_by_its_name(tmp_path: Path) -> None:
    """By the hub's own client, which takes its address from the environment when it is imported."""
    table = brought.prompts(tmp_path / "made") / "train.jsonl"
    with hub.serving("me/faq", {"README.md": b"# Questions", "data/train.jsonl": table.read_bytes()}) as served:
        variables = {"HF_ENDPOINT": served.url, "HF_HOME": str(tmp_path / "hub")}
        done = [
            genwright(tmp_path, "new", "faq", "--from", "hf://datasets/me/faq", "--json", "--force", **variables)
            for _ in range(2)
        ]
    assert done[0].returncode == 0, done[0].stderr
    found = json.loads(done[0].stdout)
    assert (found["form"], found["items"]) == ("table", brought.N)
    assert done[1].stdout == done[0].stdout
    assert sorted(served.read) == ["README.md", "data/train.jsonl"]  # the second time nothing had changed
    assert 'address: "hf://datasets/me/faq"' in (tmp_path / "recipes" / "faq.yaml").read_text()
