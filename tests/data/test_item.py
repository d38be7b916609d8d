"""How what a source calls its columns becomes what a recipe calls them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from genwright.core.record import Part
from genwright.data.item import Item, content_first

IMAGE, TEXT, LABEL = (Part(kind=kind) for kind in ("image", "text", "label"))


def item(**columns: bytes) -> Item:
    return Item("a", columns, source="made", licence="CC0-1.0", collected_at="2026-01-01T00:00:00+00:00")


BROUGHT = item(content=b"picture", label=b"boat", caption=b"a boat at sea")


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"content": IMAGE}, {"content": b"picture"}),
        ({"picture": IMAGE}, {"picture": b"picture"}),
        ({"content": IMAGE, "condition": LABEL}, {"content": b"picture", "condition": b"boat"}),
        ({"content": IMAGE, "condition": TEXT}, {"content": b"picture", "condition": b"a boat at sea"}),
        (
            {"picture": IMAGE, "kind": LABEL, "words": TEXT},
            {"picture": b"picture", "kind": b"boat", "words": b"a boat at sea"},
        ),
        (
            {"content": IMAGE, "caption": LABEL, "label": TEXT},
            {"content": b"picture", "caption": b"a boat at sea", "label": b"boat"},
        ),
        ({"content": IMAGE, "caption": TEXT, "title": TEXT}, {"content": b"picture", "caption": b"a boat at sea"}),
        ({"content": IMAGE, "title": TEXT, "summary": TEXT}, {"content": b"picture"}),
        ({"content": IMAGE, "kind": LABEL, "mood": LABEL}, {"content": b"picture"}),
    ],
    ids=[
        "what is not wanted is left out",
        "the first is the content",
        "a label is the column of labels",
        "a caption is the column of texts",
        "each its own",
        "a name that the recipe has is kept",
        "a name that the recipe has leaves the other lacking",
        "two texts are free: nobody knows which",
        "two labels are free: nobody knows which",
    ],
)
def test_a_column_goes_where_the_recipe_has_its_name_or_one_place_for_its_kind(
    columns: Mapping[str, Part], found: dict[str, bytes]
) -> None:
    assert BROUGHT.assigned(columns).columns == found


def test_a_role_of_no_kind_takes_the_only_place_there_is() -> None:
    pair = item(content=b"Amen.", condition=b"So be it.")
    assert pair.assigned({"translation": TEXT, "original": TEXT}).columns["original"] == b"So be it."
    assert "original" not in pair.assigned({"translation": TEXT, "original": TEXT, "note": TEXT}).columns


def test_an_item_is_the_same_however_its_source_orders_what_it_brings() -> None:
    """Its hashes come in the recipe's order, as they come back from disk, so an item that is there already is known."""
    columns = content_first({"label": LABEL, "caption": TEXT, "content": IMAGE}, "content")
    other = item(content=b"picture", caption=b"a boat at sea", label=b"boat")
    assert list(BROUGHT.assigned(columns).digests) == ["content", "caption", "label"]
    assert list(BROUGHT.assigned(columns).digests.values()) == list(other.assigned(columns).digests.values())


def test_what_is_said_of_an_item_stays() -> None:
    there = BROUGHT.assigned({"picture": IMAGE})
    assert (there.name, there.source, there.licence, there.collected_at) == (
        BROUGHT.name,
        BROUGHT.source,
        BROUGHT.licence,
        BROUGHT.collected_at,
    )
    assert there.digest == BROUGHT.digest
