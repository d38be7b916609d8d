"""A real web server on loopback with faults to inject."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any


class Web(ThreadingHTTPServer):
    """Serves `body` at every path, with ranges and an ETag, and keeps the requests it saw.

    `breaks` are numbers of bytes after which the next answers are cut off; `errors` are statuses answered first.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = b""
        self.breaks: list[int] = []
        self.errors: list[int] = []
        self.redirect: str | None = None
        self.validators, self.endless, self.drip, self.drip_headers = True, False, False, False
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.sent = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: clients that go away are what is tested."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


class _Handler(BaseHTTPRequestHandler):
    server: Web
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Nothing: tests look at `requests`."""

    def do_GET(self) -> None:
        web = self.server
        web.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        try:
            if web.drip_headers:
                self._header_for_ever()
            elif web.errors:
                self._plain(web.errors.pop(0))
            elif web.redirect:
                self._plain(302, Location=web.redirect)
            elif web.endless or web.drip:
                self._forever()
            elif web.validators and self.headers["If-None-Match"] == web.etag:
                self._plain(304)
            else:
                self._file()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _plain(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def _header_for_ever(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while True:
            self.wfile.write(b"x")
            time.sleep(0.05)

    def _forever(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" if self.server.drip else b"x" * 65536)
            self.server.sent += 1
            if self.server.drip:
                time.sleep(0.05)

    def _file(self) -> None:
        web, start = self.server, 0
        ranged = self.headers["Range"]
        if ranged and self.headers["If-Range"] == web.etag:
            start = int(ranged.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(web.body) - 1}/{len(web.body)}")
        else:
            self.send_response(200)
        rest = web.body[start:]
        self.send_header("Content-Length", str(len(rest)))
        if web.validators:
            self.send_header("ETag", web.etag)
            self.send_header("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")
        self.end_headers()
        cut = web.breaks.pop(0) if web.breaks else None
        self.wfile.write(rest[:cut])
        web.sent += len(rest[:cut])
        if cut is not None:
            self.close_connection = True


@contextmanager
def serving() -> Iterator[Web]:
    """A server for the length of a test."""
    with Web() as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield web
        finally:
            web.shutdown()
            thread.join(timeout=5)


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a server that takes notifications, and what it got."""
    got: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/very-secret", got
    finally:
        server.shutdown()
        server.server_close()
