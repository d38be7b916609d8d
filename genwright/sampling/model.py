"""A model to be used: what it can be asked for, generating, walking its latent space, writing what came out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from genwright.core.durable import write_bytes
from genwright.core.errors import ModelError, Unreadable, nearest
from genwright.core.explain import explain
from genwright.core.shapes import Label, Signal, Tokens
from genwright.data.modalities.base import Modality, caption, decode, words
from genwright.models.architectures.base import SampleOptions
from genwright.models.records import ModelVersion
from genwright.sampling import wish
from genwright.sampling.chain import Wish, granted
from genwright.sampling.extend import extended, sides
from genwright.sampling.graph import Graph
from genwright.sampling.inputs import inputs
from genwright.sampling.latent import Space, walkable
from genwright.sampling.opened import opened
from genwright.sampling.task import Description, Input

MOST = 10_000  # samples a call
SLOTS = 8  # samples that are drawn together


class Model:
    """A verified bundle or composition, loaded. `version` says which registered version it is, where it is one; `uses` where
    the versions lie that it was trained over, by the name it has for each."""

    def __init__(
        self,
        folder: Path,
        version: ModelVersion | None = None,
        device: str = "cpu",
        uses: Mapping[str, Path] | None = None,
    ) -> None:
        self.version, self.device = version, device
        self.graph: Graph = opened(folder, uses or {}, device)

    @property
    def content(self) -> Modality:
        """How what it makes is read and written."""
        found = self.graph.reader(self.graph.makes)
        if found is None:
            raise ModelError("What this model makes is no file by itself.", got=self.graph.makes)
        return found

    @cached_property
    def describe(self) -> Description:
        """What it can be asked for."""
        last, given = self.graph.last, inputs(self.graph, self.content.name, self.content.shape)
        columns = {one.name for one in given if one.role == "column" and not self.graph.follows(one.name)}
        return Description(
            makes=self.graph.makes,
            kind=self.content.name,
            inputs=given,
            steps=[step.words for step in self.graph.resolve(self.graph.makes, columns)],
            options={name: field.description or "" for name, field in type(last.model).Options.model_fields.items()},
            between=walkable(self.graph),
        )

    def options(self, **given: Any) -> dict[str, SampleOptions]:
        """Sampling options of every member: those it was made with; those given are for the last one, or for the one named
        before a point. Raises ModelError naming what is allowed."""
        found: dict[str, SampleOptions] = {}
        for key, bundle in self.graph.members.items():
            mine = {name.removeprefix(f"{key}."): value for name, value in given.items() if key and name.startswith(f"{key}.")}
            if bundle is self.graph.last:
                mine |= {name: value for name, value in given.items() if "." not in name}
            kind = bundle.model.Options
            try:
                found[key] = kind.model_validate({**bundle.info.plan.sampling, **mine})
            except ValidationError as error:
                allowed = ", ".join(f"{k} ({f.description})" if f.description else k for k, f in kind.model_fields.items())
                raise ModelError(
                    f"{bundle.info.family} cannot sample that way.",
                    got="; ".join(explain(error, kind)),
                    allowed=allowed or "none",
                ) from error
        return found

    def generate(self, n: int = 1, **asked: Any) -> list[Any]:
        """`n` values (pictures, texts); equal arguments give equal values, and a value does not depend on `n`. What can be
        asked, and what is raised: see `wishes`."""
        return self.grant(self.wishes(n, **asked))

    def grant(self, wishes: Sequence[Wish]) -> list[Any]:
        """The value of each wish. Raises ModelError for one that cannot be granted."""
        return decode(self.content, torch.stack(granted(self.graph, wishes, SLOTS, self.device)))

    def asked(self, one: Wish) -> str:
        """What a wish asks for, as far as it is text or the name of a class."""
        return caption(words(self.graph.reader(name), row) for name, row in one.given.items())

    def wishes(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        give: Mapping[str, Any] | None = None,
        label: Any = None,
        prompt: Any = None,
        image: Any = None,
        sketch: Any = None,
        mask: Any = None,
        reference: Any = None,
        strength: float | None = None,
        extend: str | Mapping[str, float] | None = None,
        **options: Any,
    ) -> list[Wish]:
        """What `n` samples ask for.

        `give`: input to a value, or to one for each sample (a list); `describe` says what there is. `label`, `prompt`,
        `image`, `sketch`, `mask` and `reference` are friendly names of inputs: of a mask white is made anew and black stays;
        a reference is a picture that what is made should be like. Without a label a labelled model goes through its labels
        in turn. `strength`: how much of an image is made anew. `extend` has it go on beyond its edges, by shares of its own
        size: `{"right": 0.5}`. Warns of texts with words that no training text had, and of such as are cut (`Doubt`). Raises
        ModelError for anything the model cannot take.
        """
        if not 1 <= n <= MOST:
            raise ModelError("That many samples cannot be generated at once.", got=n, allowed=f"1 to {MOST:,}")
        if strength is not None:
            options["strength"] = strength
        chosen = self.options(**options)
        friendly = {"label": label, "prompt": prompt, "image": image, "sketch": sketch, "mask": mask, "reference": reference}
        values = {name: several[:n] for name, several in self._asked(friendly, give or {}).items()}
        if extend is not None:
            values |= self._extended(values, sides(extend))
        self._aligned(values, n)
        for doubt in dict.fromkeys(self._doubts(values)):
            warnings.warn(doubt, wish.Doubt, stacklevel=3)
        rows = {name: [self._row(name, value) for value in several] for name, several in values.items()}
        return [
            self._wish(seed, place, chosen, {name: several[place % len(several)] for name, several in rows.items()})
            for place in range(n)
        ]

    def example(self) -> dict[str, Any]:
        """A made value for every input that is needed, to try the model with."""
        found: dict[str, Any] = {}
        for one in self.describe.inputs:
            if one.needed:
                reader = self.graph.reader(one.name)
                size = one.shape.channels if isinstance(one.shape, Signal) else 1
                found[one.name] = [0.0] * size if reader is None else type(reader).fixture(1)[0]
        return found

    def _asked(self, friendly: Mapping[str, Any], give: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Inputs to values. Raises ModelError for an input that there is not, or that is given twice."""
        found: dict[str, Any] = {}
        for name, value in give.items():
            if self.describe.input(name) is None:
                there = [one.name for one in self.describe.inputs]
                raise ModelError(
                    f"This model is not given any {name!r}{nearest(name, there)}.",
                    got=name,
                    allowed=", ".join(there) or "nothing",
                )
            found[name] = value
        for alias, value in friendly.items():
            if value is None:
                continue
            one = self.describe.named(alias)
            if one is None:
                there = [f"{one.alias} ({one.name})" for one in self.describe.inputs if one.alias]
                raise ModelError(f"This model takes no {alias}.", got=value, allowed=", ".join(there) or "nothing")
            if one.name in found:
                raise ModelError(f"{one.name} is given twice.", got=f"as {alias} and by name")
            found[one.name] = value
        return {name: value if _several(value) else [value] for name, value in found.items()}

    def _row(self, name: str, value: Any) -> Tensor:
        """What is given for an input, as the model takes it."""
        one = self.describe.input(name)
        assert one is not None
        if one.role == "keep":
            return self._mask(one, value)
        if one.role == "start":
            return self._start(one, value)
        if one.role == "reference":
            reader = self.graph.reader(self.graph.origin(name) or name)
            return self.graph.coded(name, wish.read(name, value, one.shape, reader))
        return wish.read(name, value, one.shape, self.graph.reader(name))

    def _doubts(self, values: Mapping[str, list[Any]]) -> Iterator[str]:
        """What the model will not make of texts as a person expects."""
        for name, several in values.items():
            one = self.describe.input(name)
            reader = self.content if one is not None and one.role == "start" else self.graph.reader(name)
            if one is None or reader is None or not isinstance(one.shape, Tokens):
                continue
            for value in several:
                yield from (f"{name}: {doubt}" for doubt in reader.doubts(wish.known(name, value, one.shape, reader)))

    def _wish(self, seed: int, place: int, options: dict[str, SampleOptions], rows: dict[str, Tensor]) -> Wish:
        """What sample `place` asks for."""
        given: dict[str, Tensor] = {}
        start = keep = None
        for one in self.describe.inputs:
            row = rows.get(one.name)
            if row is not None and one.role == "keep":
                keep = row
            elif row is not None and one.role == "start":
                start = row
            elif row is not None:
                given[one.name] = row
            elif isinstance(one.shape, Label) and one.role == "column":
                given[one.name] = torch.tensor(place % one.shape.classes)
            elif one.needed:
                raise ModelError(f"This model needs {one.name}.", do=f"give {one.words}, e.g. --give {one.name}=...")
        if start is not None and keep is not None:
            given |= self.graph.hidden(start, keep)
        return Wish((seed, place), options, given, start, keep)

    def _start(self, one: Input, value: Any) -> Tensor:
        if isinstance(one.shape, Tokens):
            try:
                read = self.content.encode(self.content.read(wish.content(one.name, value, one.shape)))
            except Unreadable as error:
                raise ModelError("The beginning cannot be read.", got=value, allowed=error) from error
            assert read is not None
            return torch.from_numpy(read.astype("int64"))
        return wish.read(one.name, value, one.shape, self.content)

    def _aligned(self, values: Mapping[str, list[Any]], n: int) -> None:
        """Raises ModelError where there is a mask and no picture, or one of another form than its picture: each is cut to the
        model's by itself."""
        if "keep" not in values:
            return
        if "start" not in values:
            raise ModelError("A mask says what stays of a picture, and there is none.", do="give the picture as well")
        pictures, masks = (self._sizes(name, values[name]) for name in ("start", "keep"))
        for place in range(n):
            (height, width), (rows, columns) = pictures[place % len(pictures)], masks[place % len(masks)]
            if abs(height * columns - width * rows) > max(height, width, rows, columns):  # of a pixel more or less
                raise ModelError(
                    "The mask is of another form than the picture.",
                    got=f"{columns} x {rows} pixels beside {width} x {height}",
                    do="give a mask as large as the picture, white where that is made anew",
                )

    def _sizes(self, name: str, several: list[Any]) -> list[tuple[int, int]]:
        """Rows and columns of pictures as they are given."""
        read = (wish.known(name, one, self.content.shape, self.content) for one in several)
        return [(int(one.shape[0]), int(one.shape[1])) for one in read]

    def _extended(self, values: Mapping[str, list[Any]], by: Mapping[str, float]) -> dict[str, list[Any]]:
        """The pictures that are begun from on larger canvases, and the masks of what is new. Raises ModelError."""
        if "start" not in values or "keep" in values or self.describe.input("keep") is None:
            raise ModelError(
                "There is no picture to extend.",
                got=", ".join(values) or "nothing",
                allowed="a picture without a mask, of a model that completes pictures or begins from them",
            )
        read = [wish.known("start", one, self.content.shape, self.content) for one in values["start"]]
        assert isinstance(self.content.shape, Signal)
        size = None if getattr(self.content.options, "fit", "") == "pad" else self.content.shape.axes
        canvases, masks = zip(*(extended(one, by, size) for one in read), strict=True)
        return {"start": list(canvases), "keep": list(masks)}

    def _mask(self, one: Input, value: Any) -> Tensor:
        """1 where a picture stays: where the mask is black."""
        reader, fitting = self.content.fitting(one.shape), self.content.masks(one.shape)
        assert reader is not None
        row = wish.read(one.name, wish.known(one.name, value, one.shape, reader), one.shape, fitting)
        return (row < 0).float()

    def between(self, a: bytes, b: bytes, n: int = 8) -> list[Any]:
        """`n` values on the straight line between the latents of two files' contents, both ends included.

        Raises ModelError when the family has no latent space or a file is not of this kind.
        """
        return decode(self.content, self._space.between(a, b, n))

    def along(self, base: bytes, more: Sequence[bytes], less: Sequence[bytes], by: float = 1.0, n: int = 8) -> list[Any]:
        """`n` values from a file's content on towards what tells the files `more` from the files `less`, as far as `by` times
        the way between their means. Raises ModelError like `between`."""
        return decode(self.content, self._space.along(base, more, less, by, n))

    @property
    def _space(self) -> Space:
        return Space(self.graph, self.content, self.device)

    def save(self, values: Sequence[Any], out: Path, stem: str = "sample") -> list[Path]:
        """One file a value, `STEM-0000.SUFFIX`; returns the paths."""
        paths = [out / f"{stem}-{place:04d}{self.content.suffix}" for place in range(len(values))]
        for path, value in zip(paths, values, strict=True):
            write_bytes(path, self.content.write(value))
        return paths


def _several(value: Any) -> bool:
    """Whether a value is a list of values, one a sample, and not the numbers of one vector."""
    return isinstance(value, list) and bool(value) and not isinstance(value[0], int | float)
