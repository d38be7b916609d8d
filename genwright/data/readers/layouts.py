"""What the columns of a table are: by the names that the tools of the field use, else by what stands in them.

Names: TRL, OpenAI, axolotl, LLaMA-Factory and Unsloth for texts; Hugging Face's imagefolder, kohya and musubi for pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genwright.data.readers import naming
from genwright.data.readers.records import Record

Fields = dict[str, list[str]]
"""Columns of items, the content first, to the fields of the table that make them, which are joined by a blank line. A field
may be a path into what is nested, `translation.de`; of a conversation `messages.answer` is the last answer and
`messages.before` all that was said before it."""

ANSWERS = (
    ("completion", ("prompt",)),
    ("chosen", ("prompt",)),
    ("response", ("instruction", "input")),
    ("response", ("prompt",)),
    ("output", ("system", "instruction", "input")),
    ("output", ("prompt",)),
    ("answer", ("question",)),
    ("target", ("source",)),
    ("target", ("text",)),
    ("tgt", ("src",)),
)
"""A text, and what it answers; of the second those that are there."""
OPTIONAL = {"system", "input"}
CONVERSATIONS = ("messages", "conversations", "conversation")
CAPTIONS = ("text", "caption", "prompt", "edit_prompt", "instruction", "description", "title")
LABELS = ("label", "class", "category", "labels", "tag")
LICENCES = ("license", "licence")
TEXTS = ("text", "content", "document", "body", "code", "sentence")
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
"""How pictures begin that stand in a table as bytes."""
LONG, DISTINCT = 12, 0.5  # characters, and share of values that differ, from which a column counts as a text


@dataclass(frozen=True)
class Layout:
    """What was recognised: the fields, the kind of content, and why."""

    fields: Fields
    kind: str
    why: str


def recognised(rows: Sequence[Record], pictures: frozenset[str]) -> Layout | None:
    """The layout of a table of which `rows` are the first; `pictures` are endings of pictures' names. None where nothing in
    it could be content."""
    names = {name.lower(): name for row in rows for name in row}
    return (
        _pictures(rows, names, pictures)
        or _conversation(rows, names)
        or _translation(rows, names)
        or _answers(names)
        or _texts(rows, names)
        or _guessed(rows)
    )


def columns(row: Record, fields: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The values of an item's columns: strings, bytes, or None where all its fields are empty."""
    found: dict[str, Any] = {}
    for column, paths in fields.items():
        values = [value for path in paths if (value := resolve(row, path)) not in (None, "", b"")]
        if len(values) == 1:
            found[column] = values[0]
        else:
            found[column] = "\n\n".join(map(as_text, values)) if values else None
    return found


def licence(row: Record) -> str:
    """What a row says of its licence; "" where it says nothing."""
    said = (value for name, value in row.items() if name.lower() in LICENCES)
    return next((value for value in said if isinstance(value, str)), "").strip()


def resolve(row: Record, path: str) -> Any:
    """The value at a path; None where there is none."""
    value: Any = row
    for step in path.split("."):
        if isinstance(value, str) and value[:1] in "[{":
            value = _parsed(value)
        if isinstance(value, Mapping):
            value = next((one for name, one in value.items() if name == step or name.lower() == step), None)
        elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and step in ("answer", "before"):
            value = _said(value)[step]
        else:
            return None
    if isinstance(value, Mapping) and {"bytes", "path"} >= set(value):  # a picture or sound as Hugging Face keeps it
        return value.get("bytes") or value.get("path")
    return value


def as_text(value: Any) -> str:
    """A value as a person would write it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(map(as_text, value))
    return str(value)


def as_bytes(value: Any) -> bytes:
    """A value as the bytes of a column."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return as_text(value).encode("utf-8", "surrogatepass")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


ANSWERED_BY = ("assistant", "gpt", "model", "bot", "chatgpt")


def _said(turns: Sequence[Any]) -> dict[str, str | None]:
    """The last answer of a conversation, and what came before it, a turn a paragraph; with one question, that alone."""
    told = [(str(t.get("role", t.get("from", ""))).lower(), as_text(t.get("content", t.get("value", "")))) for t in turns]
    last = next((n for n in range(len(told) - 1, -1, -1) if told[n][0] in ANSWERED_BY), None)
    if not last:
        return {"answer": None, "before": None}
    before = told[:last]
    words = before[0][1] if len(before) == 1 else "\n\n".join(f"{who}: {what}" for who, what in before)
    return {"answer": told[last][1], "before": words}


def _pictures(rows: Sequence[Record], names: Mapping[str, str], pictures: frozenset[str]) -> Layout | None:
    """Of several columns of pictures the one that is called so is what the other is made from."""
    there = [name for name in names.values() if _holds_pictures(rows, name, pictures)]
    if not there:
        return None
    content = max(there, key=lambda name: (naming.place(name), -there.index(name)))
    fields, told = {"content": [content]}, f"the column {content!r} holds pictures"
    control = next((name for name in there if name != content and naming.place(name) < 0), None)
    caption = next((names[name] for name in CAPTIONS if name in names and names[name] not in there), None)
    label = next((names[name] for name in LABELS if name in names), None)
    if control is not None:
        fields["condition"], told = [control], f"{told}, made from those in {control!r}"
    if caption is not None:
        fields["caption"], told = [caption], f"{told}, said by {caption!r}"
    elif label is not None and control is None:
        fields["label"], told = [label], f"{told}, said by {label!r}"
    return Layout(fields, "image", told)


def _holds_pictures(rows: Sequence[Record], name: str, pictures: frozenset[str]) -> bool:
    values = [value for row in rows if (value := resolve(row, name)) not in (None, "")]
    return bool(values) and all(
        _is_picture(value)
        if isinstance(value, bytes)
        else isinstance(value, str) and "." + value.lower().rpartition(".")[2] in pictures
        for value in values
    )


def _is_picture(data: bytes) -> bool:
    return data.startswith(PICTURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def _conversation(rows: Sequence[Record], names: Mapping[str, str]) -> Layout | None:
    field = next((names[name] for name in CONVERSATIONS if name in names), None)
    if field is None or not any(columns(row, {"answer": [f"{field}.answer"]})["answer"] for row in rows):
        return None
    return Layout(
        {"content": [f"{field}.answer"], "condition": [f"{field}.before"]},
        "text",
        f"{field!r} holds conversations: the last answer is made from what was said before it",
    )


def _translation(rows: Sequence[Record], names: Mapping[str, str]) -> Layout | None:
    field = names.get("translation")
    languages = list(rows[0].get(field) or {}) if field is not None and isinstance(rows[0].get(field), Mapping) else []
    if len(languages) != 2:
        return None
    source, target = languages
    fields = {"content": [f"{field}.{target}"], "condition": [f"{field}.{source}"]}
    return Layout(fields, "text", f"{field!r} holds {source!r} and {target!r}; the second is made from the first")


def _answers(names: Mapping[str, str]) -> Layout | None:
    for answer, asked in ANSWERS:
        there = [names[name] for name in asked if name in names]
        if answer in names and there and set(asked) - OPTIONAL <= set(names):
            told = " and ".join(map(repr, there))
            return Layout({"content": [names[answer]], "condition": there}, "text", f"{names[answer]!r} answers {told}")
    return None


def _texts(rows: Sequence[Record], names: Mapping[str, str]) -> Layout | None:
    field = next((names[name] for name in TEXTS if name in names and _strings(rows, names[name])), None)
    if field is None:
        return None
    code = field.lower() in ("content", "code") and bool({"path", "language", "lang", "repo_name"} & set(names))
    label = next((names[name] for name in LABELS if name in names and name != field), None)
    fields = {"content": [field]} | ({"label": [label]} if label else {})
    told = f", labelled by {label!r}" if label else ""
    return Layout(fields, "code" if code else "text", f"{field!r} holds {'programs' if code else 'texts'}{told}")


def _guessed(rows: Sequence[Record]) -> Layout | None:
    """By what stands in the columns: two long ones are a pair, one is a text."""
    long = list(_long(rows))
    if len(long) == 2:
        asked, answer = long
        fields = {"content": [answer], "condition": [asked]}
        return Layout(fields, "text", f"of its columns two hold long texts: {answer!r} is taken to answer {asked!r}")
    if long:
        others = f"; {', '.join(map(repr, long[1:]))} are left aside" if long[1:] else ""
        return Layout({"content": [long[0]]}, "text", f"{long[0]!r} holds long texts{others}")
    return None


def _long(rows: Sequence[Record]) -> Iterator[str]:
    for name in dict.fromkeys(name for row in rows for name in row):
        values = _strings(rows, name)
        wordy = sum(map(len, values)) >= LONG * len(values) and len(set(values)) >= DISTINCT * len(values)
        if len(values) >= len(rows) / 2 and wordy:
            yield name


def _strings(rows: Sequence[Record], name: str) -> list[str]:
    return [value for row in rows if isinstance(value := row.get(name), str) and value.strip()]
