"""The parts that a recipe names, and how editors are told of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator

from genwright.core.parts import ROOM, part_of, told_by
from genwright.core.plugins import Plugins
from genwright.core.record import Part
from genwright.data.derivations.base import derivations
from genwright.data.filters.base import filters
from genwright.data.modalities.base import modalities
from genwright.data.readers.base import readers
from genwright.data.sources.base import sources
from genwright.data.view import Derived
from genwright.triggers.base import triggers

ContentPart = Annotated[Part, part_of(modalities), told_by(modalities)]
SourcePart = Annotated[Part, part_of(sources), told_by(sources)]
FilterPart = Annotated[Part, part_of(filters), told_by(filters)]
TriggerPart = Annotated[Part, part_of(triggers), told_by(triggers)]


def _derived(value: Any) -> Any:
    """Accept `{kind: NAME, of: COLUMN or [COLUMN, ...], option: value}`."""
    if not isinstance(value, dict) or "of" not in value:
        raise ValueError("a derived column names its `kind` and what it is made `of`")
    if "part" in value:
        return value
    of = value["of"] if isinstance(value["of"], list) else [value["of"]]
    return {"of": of, "part": {key: one for key, one in value.items() if key != "of"}}


class _DerivedColumn(Derived):
    part: Annotated[Part, part_of(derivations)]


DerivedColumn = Annotated[_DerivedColumn, BeforeValidator(_derived), told_by(derivations)]


def with_parts(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema with everything registered where a room's parts stand."""
    found: dict[str, Any] = _placed(schema)
    definitions = found["$defs"]
    for registry in (modalities, readers, sources, filters, triggers):
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
        options = _placed(part.Options.model_json_schema())
        definitions.update(options.pop("$defs", {}))
        options["properties"] = {"kind": {"const": name}, **besides, **options.get("properties", {})}
        options["required"] = ["kind", *besides, *options.get("required", [])]
        yield options
