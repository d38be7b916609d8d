"""Telling people: by a webhook or e-mail that the settings name. Addresses and passwords never reach a log."""

from __future__ import annotations

import json
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from pydantic import Field

from genwright.core.errors import ServiceError
from genwright.core.record import Record
from genwright.core.workspace import Settings

PATIENCE = 20.0  # seconds


class Message(Record):
    """What happened to which model. A webhook gets it as JSON, an e-mail as subject and text."""

    event: str
    name: str
    text: str
    at: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def subject(self) -> str:
        """One line."""
        return f"{self.name}: {self.event.rpartition('.')[2]}"


def configured(settings: Settings) -> list[str]:
    """The ways there are to tell people, in words."""
    return [
        *(["webhook"] if settings.webhook else []),
        *(["e-mail"] if settings.email_to and settings.smtp else []),
    ]


def send(message: Message, settings: Settings) -> list[str]:
    """Send a message every way that is configured; the ways. Raises ServiceError, after all were tried, where one failed."""
    failed = []
    ways = configured(settings)
    for way in ways:
        try:
            _post(message, settings) if way == "webhook" else _mail(message, settings)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            failed.append(f"{way} ({type(error).__name__})")  # the error's text may hold the address and its secrets
    if failed:
        raise ServiceError(
            f"A notification about {message.name} did not get out.",
            got=", ".join(failed),
            do="check GENWRIGHT_WEBHOOK, GENWRIGHT_SMTP and GENWRIGHT_EMAIL_TO",
        )
    return ways


def _post(message: Message, settings: Settings) -> None:
    assert settings.webhook is not None
    address = settings.webhook.get_secret_value()
    if urlsplit(address).scheme not in ("http", "https"):
        raise ValueError("not an address on the web")
    body = {**message.model_dump(), "text": f"{message.subject}\n{message.text}"}  # `text` is what chat services show
    # Not httpx: it writes addresses to its log.
    request = Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urlopen(request, timeout=PATIENCE).close()


def _mail(message: Message, settings: Settings) -> None:
    assert settings.smtp is not None
    assert settings.email_to is not None
    server = urlsplit(settings.smtp.get_secret_value())
    mail = EmailMessage()
    mail["Subject"], mail["To"] = message.subject, settings.email_to
    mail["From"] = settings.email_from or settings.email_to
    mail.set_content(f"{message.text}\n\n{message.event}, {message.at}\n")
    kind = smtplib.SMTP_SSL if server.scheme == "smtps" else smtplib.SMTP
    with kind(server.hostname or "localhost", server.port or 0, timeout=PATIENCE) as connection:
        if server.scheme == "smtp" and connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
        if server.username:
            connection.login(unquote(server.username), unquote(server.password or ""))
        connection.send_message(mail)
