"""Saying on Prefect's event stream what became of a version, for automations and notifications."""

from __future__ import annotations

from prefect.events import emit_event

from genwright.lifecycle.records import Outcome


def announce(outcome: Outcome) -> None:
    """Emit `genwright.model.promoted`, `.refused` or `.waits` about the recipe; nothing where nothing became of it."""
    if outcome.what == "champion already":
        return
    emit_event(
        event=f"genwright.model.{outcome.what}",
        resource={"prefect.resource.id": f"genwright.recipe.{outcome.name}", "prefect.resource.name": outcome.name},
        payload={"name": outcome.name, "why": outcome.verdict, "version": outcome.version},
    )
