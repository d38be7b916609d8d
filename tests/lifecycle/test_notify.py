"""Telling people, by a real web server and a real mail server on the loopback address."""

from __future__ import annotations

import logging
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from genwright.core.errors import ServiceError
from genwright.core.workspace import Settings
from genwright.lifecycle.notify import Message, configured, send
from tests.web import webhook

MESSAGE = Message(event="genwright.model.promoted", name="birds", text="birds version 2 is the champion now.")


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_a_webhook_gets_a_document(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as (address, got), caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("GENWRIGHT_WEBHOOK", address)
        settings = Settings()
        assert send(MESSAGE, settings) == ["webhook"]
    assert got[0]["name"] == "birds"
    assert got[0]["event"] == "genwright.model.promoted"
    assert "birds: promoted" in got[0]["text"]
    assert "very-secret" not in caplog.text
    assert "very-secret" not in repr(settings)


def test_an_e_mail_has_a_subject_and_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for raw in self.rfile:
                line = raw.decode().strip()
                said.append(line)
                word = line.upper()
                if word == "DATA":
                    self.wfile.write(b"354 go on\r\n")
                elif word == "QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                elif word.startswith(("EHLO", "MAIL", "RCPT", ".")):
                    self.wfile.write(b"250 ok\r\n")

    with serving(socketserver.TCPServer(("127.0.0.1", 0), Mail)) as port:
        monkeypatch.setenv("GENWRIGHT_SMTP", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("GENWRIGHT_EMAIL_TO", "team@example.org")
        assert send(MESSAGE, Settings()) == ["e-mail"]
    assert "Subject: birds: promoted" in said
    assert "birds version 2 is the champion now." in said


def test_what_does_not_get_out_is_an_error_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENWRIGHT_WEBHOOK", "http://127.0.0.1:9/hooks/very-secret")
    with pytest.raises(ServiceError) as caught:
        send(MESSAGE, Settings())
    assert "webhook" in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_nothing_is_configured_by_itself() -> None:
    assert configured(Settings()) == []
    assert send(MESSAGE, Settings()) == []
