"""As much of the API of Hugging Face's hub, on loopback, as its own client asks for when it reads a data set."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub(ThreadingHTTPServer):
    """Has one data set of some files by name."""

    daemon_threads = True

    def __init__(self, name: str, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.files = name, files
        self.read: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(name: str, files: Mapping[str, bytes]) -> Iterator[Hub]:
    hub = Hub(name, files)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        hub, path = self.server, self.path.partition("?")[0]
        about = f"/api/datasets/{hub.name}"
        if path.startswith(f"{about}/tree/main"):
            listed = [("file", hashlib.sha1(data).hexdigest(), len(data), name) for name, data in hub.files.items()]
            self._json([dict(zip(("type", "oid", "size", "path"), one, strict=True)) for one in listed])
        elif path == about:
            self._json({"_id": "1", "id": hub.name, "sha": "a" * 40, "private": False, "tags": [], "siblings": []})
        elif (name := path.removeprefix(f"/datasets/{hub.name}/resolve/main/")) in hub.files:
            hub.read.append(name)
            self._answer(hub.files[name])
        else:
            self.send_error(404)

    def _json(self, value: Any) -> None:
        self._answer(json.dumps(value).encode(), "application/json")

    def _answer(self, body: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Repo-Commit", "a" * 40)):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
