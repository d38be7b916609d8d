"""The way to MLflow: a database of the workspace, or a server; one that does not answer is said at once."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy.exc import SQLAlchemyError

from genwright.core.durable import exclusive
from genwright.core.errors import ServiceError
from genwright.core.workspace import Workspace

PROBE_SECONDS = 3  # to connect, and again to be answered
LOCKED_SECONDS = 60  # an embedded database may be locked by another process that long


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
    command += ["--default-artifact-root", (workspace.state / "mlartifacts").as_uri()]
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
    def empty(self) -> bool:
        """Whether nothing was ever written to the embedded database; asking does not create it."""
        return self.embedded and not self.database.exists()

    @cached_property
    def client(self) -> MlflowClient:
        """The client, once MLflow has answered. Raises ServiceError within seconds where it does not."""
        if self.remote:
            self._probe()
        with self.service("connecting"), exclusive(self.workspace.lock("mlflow-open"), busy="", wait=True):
            if self.empty:
                self._create()
            client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            client.search_experiments(max_results=1)  # migrates an embedded database
        return client

    def _create(self) -> None:
        """The embedded database, there at once with all its tables: MLflow makes them one by one, and does not go on from
        a half that a killed process has left."""
        self.database.parent.mkdir(parents=True, exist_ok=True)
        making = self.database.with_name("mlflow-new.db")
        for left in making.parent.glob(f"{making.name}*"):  # with SQLite's own files beside it
            left.unlink()
        MlflowClient(tracking_uri=f"sqlite:///{making}").search_experiments(max_results=1)
        making.rename(self.database)

    def _probe(self) -> None:
        problem = answers(self.uri)
        if problem is not None:
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
        except (MlflowException, SQLAlchemyError, OSError) as error:
            raise ServiceError(
                f"MLflow failed while {doing}.", got=f"{self.uri}: {error}", do="run `genwright doctor`"
            ) from error
