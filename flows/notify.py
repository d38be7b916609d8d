"""Telling people what happened, by the ways the settings name. Started by automations."""

from __future__ import annotations

from prefect import flow

from genwright.core.workspace import Settings
from genwright.lifecycle.notify import Message, send
from genwright.tasks.display import say


@flow(name="notify", flow_run_name="{name} {event}")
def notify(event: str, name: str, text: str) -> None:
    """Send one message. Raises ServiceError where it does not get out."""
    ways = send(Message(event=event, name=name, text=text), Settings())
    say("notify", f"{name}: {event} by {', '.join(ways) or 'nothing: no way is configured'}")
