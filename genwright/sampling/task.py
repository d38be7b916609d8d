"""What a model can be asked for: derived from what it can do, and the same for every way of asking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from genwright.core.record import Record
from genwright.core.shapes import Label, Shape, Tokens

Alias = Literal["label", "prompt", "image", "sketch", "mask", "reference"]


class Input(Record):
    """Something that may be given. `start` and `keep` are no columns: what a row begins from, and where that stays; of a
    `reference` the column is the code."""

    name: str
    role: Literal["column", "start", "keep", "reference"] = "column"
    shape: Shape
    needed: bool = False
    read_as: str | None = Field(None, description="the kind of content; None for numbers")
    alias: Alias | None = Field(None, description="the friendly name it goes by")
    labels: list[str] | None = None

    @property
    def words(self) -> str:
        """What to give, for a person."""
        if isinstance(self.shape, Label):
            names = self.labels or []
            return "one of " + ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        if isinstance(self.shape, Tokens):
            return f"a text (up to {self.shape.length - 1} tokens), or @FILE"
        if self.shape.axes:
            size = " x ".join(str(a) for a in self.shape.axes)
            return f"a file of kind {self.read_as} (used at {size})" if self.read_as else f"an array of {size}"
        return f"{self.shape.channels} numbers, or a .npy file"


class Description(Record):
    """`makes` is the column that comes out; `options` what may be set, by name, with its meaning."""

    makes: str
    kind: str = Field(description="the kind of content it is")
    inputs: list[Input]
    steps: list[str] = Field(description="how it comes about from all its inputs, in words")
    options: dict[str, str]
    between: bool = Field(False, description="whether its latent space can be walked between two files")

    def named(self, alias: str) -> Input | None:
        """The input of a friendly name; None where there is none."""
        return next((one for one in self.inputs if one.alias == alias), None)

    def input(self, name: str) -> Input | None:
        return next((one for one in self.inputs if one.name == name), None)


def aliased(
    columns: list[Input], start: Input | None, keep: Input | None, own: set[str], pictures: Mapping[str, Alias]
) -> list[Input]:
    """Inputs with the friendly names that are unambiguous: `label` for the only label, `prompt` for the only text, else for
    the beginning of a text that is made; `image` or `sketch`, as `pictures` has it, for the only such picture that is given
    for itself (not one of `own`, which come from what is made), else `image` for what a picture begins from; `mask` for what
    says where that stays."""
    found: dict[Alias, list[str]] = {}
    for one in columns:
        if isinstance(one.shape, Tokens):
            found.setdefault("prompt", []).append(one.name)
        elif isinstance(one.shape, Label):
            found.setdefault("label", []).append(one.name)
        elif one.shape.axes and one.name not in own:
            found.setdefault(pictures.get(one.name, "image"), []).append(one.name)
    names: dict[str, Alias] = {several[0]: alias for alias, several in found.items() if len(several) == 1}
    if start is not None:
        wanted: Alias = "prompt" if isinstance(start.shape, Tokens) else "image"
        if wanted not in names.values():
            names[start.name] = wanted
    if keep is not None:
        names[keep.name] = "mask"
    every = [*columns, *(one for one in (start, keep) if one is not None)]
    return [one.model_copy(update={"alias": names.get(one.name)}) for one in every]
