"""The name of a run says what came of it, so that Prefect's lists tell it at a glance.

Names of states would do as well, but Prefect's pages hide runs whose state has a name of its own.
"""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run


def title(text: str) -> None:
    """Name the present flow run; nothing outside of one."""
    if flow_run.id is not None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=text)
