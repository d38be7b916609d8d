"""The way to MLflow: a database of the workspace, or a server; one that does not answer is said at once."""

from __future__ import annotations

import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import Experiment, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy.exc import SQLAlchemyError

from genwright.adapters.mlflow import database
from genwright.core.doing import telling
from genwright.core.durable import exclusive
from genwright.core.errors import ServiceError
from genwright.core.workspace import Workspace
from genwright.lifecycle.ledger import LEDGERS, Ledger

PROBE_SECONDS = 3  # to connect, and again to be answered
PATIENCE_SECONDS = 300  # for a server that went away in the middle of a run
LOCKED_SECONDS = 60  # an embedded database may be locked by another process that long

_answered: set[str] = set()  # servers that did, in this process


def answers(uri: str) -> str | None:
    """None when an MLflow server answers there (or the address is no server's), else the reason, within seconds."""
    address = urlsplit(uri)
    if address.scheme not in ("http", "https"):
        return None
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), PROBE_SECONDS).close()
        endpoint = "/api/2.0/mlflow/experiments/search?max_results=1"
        credentials = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
        answer = http_request(credentials, endpoint, "GET", max_retries=0, timeout=PROBE_SECONDS)  # type: ignore[no-untyped-call]
        return None if answer.status_code == 200 and "experiments" in answer.json() else f"HTTP {answer.status_code}"
    except (OSError, ValueError, MlflowException) as error:
        return str(error)


def server(workspace: Workspace, port: int) -> tuple[list[str], dict[str, str]]:
    """The program that serves the workspace's database on the loopback address, and what it needs in its environment."""
    Connection(workspace).client  # noqa: B018  (creates or migrates the database)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{workspace.state / 'mlflow.db'}"]
    command += ["--default-artifact-root", Connection(workspace).artifacts.as_uri()]
    return command, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class Connection:
    """MLflow as a workspace reaches it: its own SQLite file, or what MLFLOW_TRACKING_URI names."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.uri = workspace.mlflow_uri
        self.embedded = self.uri == f"sqlite:///{workspace.state / 'mlflow.db'}"
        if self.embedded:
            self.uri += f"?timeout={LOCKED_SECONDS}"

    @property
    def remote(self) -> bool:
        """Whether a server is asked, rather than a database opened here."""
        return urlsplit(self.uri).scheme in ("http", "https")

    @property
    def database(self) -> Path:
        """The embedded database."""
        return self.workspace.state / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """Where files lie that belong to what is in the embedded database."""
        return self.workspace.state / "mlartifacts"

    @property
    def empty(self) -> bool:
        """Whether nothing was ever written to the embedded database; asking does not create it. Raises ServiceError where it
        is lost: a ledger knows of champions, and nobody is to begin a second version 1 beside it."""
        if not self.embedded or (self.database.exists() and self.database.stat().st_size):
            return False
        known = [Ledger.of(self.workspace, path.stem) for path in sorted((self.workspace.state / LEDGERS).glob("*.jsonl"))]
        if champions := {ledger.name: version for ledger in known if (version := ledger.champion) is not None}:
            told = ", ".join(f"{name} version {version}" for name, version in champions.items())
            raise database.unusable(self.database, f"it is gone, though the ledger knows of {told}")
        return True

    @cached_property
    def client(self) -> MlflowClient:
        """The client, once MLflow has answered. Raises ServiceError within seconds where it does not."""
        if self.remote:
            self._probe()
        with self.service("connecting"), exclusive(self.workspace.lock("mlflow-open"), busy="", wait=True):
            if self.empty:
                database.create(self.database)
            elif self.embedded:
                database.settle(self.database, self.artifacts)
            client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            client.search_experiments(max_results=1)
        return client

    def deleted(self) -> list[Experiment]:
        """Experiments that a person has deleted. Raises ServiceError."""
        with self.service("listing experiments"):
            return list(self.client.search_experiments(ViewType.DELETED_ONLY))

    def _probe(self) -> None:
        """Raises ServiceError at once where it does not answer; where it has answered this process before, after minutes."""
        attempts = PATIENCE_SECONDS // PROBE_SECONDS if self.uri in _answered else 1
        for attempt in telling("waiting for MLflow", range(attempts), attempts):
            problem = answers(self.uri)
            if problem is None:
                _answered.add(self.uri)
                return
            if attempt + 1 < attempts:
                time.sleep(PROBE_SECONDS)
        raise ServiceError(
            "MLflow does not answer; nothing was registered or promoted.",
            got=f"{self.uri}: {problem}",
            do="start it, correct MLFLOW_TRACKING_URI, or unset it to use the workspace's own database",
        )

    @contextmanager
    def service(self, doing: str) -> Iterator[None]:
        """Turn MLflow's exceptions into a ServiceError that says what was being done."""
        try:
            yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
            said = database.told(error)
            if self.embedded and any(word in said for word in ("malformed", "not a database")):
                raise database.unusable(self.database, said) from error
            raise ServiceError(
                f"MLflow failed while {doing}.", got=f"{self.uri}: {said}", do="run `genwright doctor`"
            ) from error
