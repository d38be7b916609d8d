"""Parts as a recipe writes them, `NAME` or `{kind: NAME, option: value}`, checked by their own options."""

from __future__ import annotations

from typing import Any

from pydantic import BeforeValidator, ValidationError, WithJsonSchema

from genwright.core.errors import GenwrightError
from genwright.core.explain import explain
from genwright.core.plugins import Plugins
from genwright.core.record import Part

ROOM = "x-room"
"""In a schema, the room whose parts stand there."""


def part_of(registry: Plugins[Any]) -> BeforeValidator:
    """Accept `NAME` or `{kind: NAME, option: value}` and validate the options by the part's own model."""

    def validate(value: Any) -> Any:
        if isinstance(value, str):
            value = {"kind": value}
        if isinstance(value, Part):
            return value
        if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
            raise ValueError(f"expected a name or a mapping with `kind`; kinds: {', '.join(registry.all())}")
        given = {k: v for k, v in value.items() if k != "kind"}
        if set(given) == {"options"} and isinstance(given["options"], dict):
            given = given["options"]
        try:
            kind = registry.get(value["kind"])
        except GenwrightError as error:
            raise ValueError(str(error)) from error
        try:
            options = kind.Options.model_validate(given)
        except ValidationError as error:
            raise ValueError("; ".join(explain(error, kind.Options, value["kind"]))) from error
        return Part(kind=value["kind"], options=options.model_dump(mode="json", exclude_defaults=True))

    return BeforeValidator(validate)


def told_by(registry: Plugins[Any]) -> WithJsonSchema:
    """Leaves a place in the schema for the parts of a room: see `recipes/parts.py`."""
    return WithJsonSchema({ROOM: registry.room})
