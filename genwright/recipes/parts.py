"""Parts as a recipe writes them, `NAME` or `{kind: NAME, option: value}`: checked by their own options, and told to editors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError, WithJsonSchema

from genwright.core.errors import GenwrightError
from genwright.core.explain import explain
from genwright.core.plugins import Plugins
from genwright.core.record import Part
from genwright.data.derivations.base import derivations
from genwright.data.filters.base import filters
from genwright.data.modalities.base import modalities
from genwright.data.sources.base import sources
from genwright.data.view import Derived
from genwright.triggers.base import triggers

ROOM = "x-room"
"""In a schema, the room whose parts stand there."""


def _part_of(registry: Plugins[Any]) -> BeforeValidator:
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


def _told_by(registry: Plugins[Any]) -> WithJsonSchema:
    """Leaves a place in the schema for the parts of a room: see `with_parts`."""
    return WithJsonSchema({ROOM: registry.room})


ContentPart = Annotated[Part, _part_of(modalities), _told_by(modalities)]
SourcePart = Annotated[Part, _part_of(sources), _told_by(sources)]
FilterPart = Annotated[Part, _part_of(filters), _told_by(filters)]
TriggerPart = Annotated[Part, _part_of(triggers), _told_by(triggers)]


def _derived(value: Any) -> Any:
    """Accept `{kind: NAME, of: COLUMN or [COLUMN, ...], option: value}`."""
    if not isinstance(value, dict) or "of" not in value:
        raise ValueError("a derived column names its `kind` and what it is made `of`")
    if "part" in value:
        return value
    of = value["of"] if isinstance(value["of"], list) else [value["of"]]
    return {"of": of, "part": {key: one for key, one in value.items() if key != "of"}}


class _DerivedColumn(Derived):
    part: Annotated[Part, _part_of(derivations)]


DerivedColumn = Annotated[_DerivedColumn, BeforeValidator(_derived), _told_by(derivations)]


def with_parts(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema with everything registered where a room's parts stand."""
    found: dict[str, Any] = _placed(schema)
    definitions = found["$defs"]
    for registry in (modalities, sources, filters, triggers):
        definitions[registry.room] = {"anyOf": [{"enum": list(registry.all())}, *_schemas(registry, definitions)]}
    names = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    of = {"of": {"anyOf": [{"type": "string"}, names]}}
    definitions[derivations.room] = {"anyOf": [*_schemas(derivations, definitions, of)]}
    return found


def _placed(node: Any) -> Any:
    """A schema in which what stands for a room's parts refers to them."""
    if isinstance(node, list):
        return [_placed(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _placed(value) for key, value in node.items() if key != ROOM}
    return kept | ({"$ref": f"#/$defs/{node[ROOM]}"} if ROOM in node else {})


def _schemas(
    registry: Plugins[Any], definitions: dict[str, Any], asked: dict[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """The schema of each part of a room, with what is asked besides; those that its options refer to go to `definitions`."""
    besides = asked or {}
    for name, part in registry.all().items():
        options = part.Options.model_json_schema()
        definitions.update(options.pop("$defs", {}))
        options["properties"] = {"kind": {"const": name}, **besides, **options.get("properties", {})}
        options["required"] = ["kind", *besides, *options.get("required", [])]
        yield options
