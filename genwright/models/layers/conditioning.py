"""How givens enter a model: once for all families, by the given's shape and the content's.

Every kind of given has a way in, a small module of this file. A given becomes a vector (added to embeddings), a sequence
(looked at by cross-attention) or a map on the content's own grid (laid beside it as channels); a family says which of
these it has a place for, and whatever it has none for is summed up in the vector. What is absent, or hidden while
training (classifier-free guidance: Ho and Salimans 2022), is a learned value, so guidance is the same call with nothing
given.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genwright.core.batch import Given
from genwright.core.errors import ModelError
from genwright.core.shapes import PAD, Label, Port, Shape, Signal, Signature, Tokens
from genwright.models.layers.dropout import Dropout
from genwright.models.layers.transformer import HEAD, Stack, embedding, hidden

PATCHES = 8  # at most along an axis, of a picture that is read as a sequence


@dataclass(frozen=True)
class Conditioned:
    """What n rows are given. `vector` (n, width); `sequence` (n, s, width) with `hidden` bool (n, s), what attention must
    not see; `aligned` (n, channels, *axes of the content). None where nothing enters that way."""

    vector: Tensor
    sequence: Tensor | None = None
    hidden: Tensor | None = None
    aligned: Tensor | None = None

    def __getitem__(self, rows: Tensor | slice) -> Conditioned:
        return Conditioned(
            self.vector[rows], *(None if t is None else t[rows] for t in (self.sequence, self.hidden, self.aligned))
        )

    @property
    def source(self) -> tuple[Tensor, Tensor] | None:
        """The sequence and what to add to attention's scores (n, 1, 1, s); None where there is none."""
        if self.sequence is None or self.hidden is None:
            return None
        return self.sequence, hidden(self.hidden[:, None, None])


@dataclass(frozen=True)
class Places:
    """What a family has a place for, and the grid its content lies on."""

    width: int
    content: Shape | None
    sequences: bool
    maps: bool
    reading: int
    dropout: float


class Way(nn.Module):
    """A way in for one kind of given. Built for a port's shape; `ways` are tried in order, the first that takes it serves."""

    def __init__(self, shape: Shape, places: Places) -> None:
        super().__init__()
        self.absent = nn.Parameter(torch.zeros(places.width))

    @classmethod
    @abstractmethod
    def takes(cls, shape: Shape, places: Places) -> bool:
        """Whether this is the way in for that shape."""

    @abstractmethod
    def forward(self, given: Given) -> Conditioned:
        """One given, absent rows included."""

    def pick(self, value: Tensor, present: Tensor) -> Tensor:
        """(n, width) values, and the learned one where absent."""
        return torch.where(present[:, None], value, self.absent.to(value.dtype))


class LabelWay(Way):
    """A class has an embedding."""

    def __init__(self, shape: Label, places: Places) -> None:
        super().__init__(shape, places)
        self.table = nn.Embedding(shape.classes, places.width)

    @classmethod
    def takes(cls, shape: Shape, places: Places) -> bool:
        return isinstance(shape, Label)

    def forward(self, given: Given) -> Conditioned:
        return Conditioned(self.pick(self.table(given.value), given.present))


class VectorWay(Way):
    """A plain vector (an embedding, a noise level) goes through a linear layer."""

    def __init__(self, shape: Signal, places: Places) -> None:
        super().__init__(shape, places)
        self.enter = nn.Linear(shape.channels, places.width)

    @classmethod
    def takes(cls, shape: Shape, places: Places) -> bool:
        return isinstance(shape, Signal) and not shape.axes

    def forward(self, given: Given) -> Conditioned:
        return Conditioned(self.pick(self.enter(given.value), given.present))


class MapWay(Way):
    """An array over the content's own axes is laid beside it, scaled to its grid, with a channel that says «there»."""

    def __init__(self, shape: Signal, places: Places) -> None:
        super().__init__(shape, places)
        assert isinstance(places.content, Signal)
        self.axes, self.width = places.content.axes, places.width
        del self.absent  # absent is zero, and «there» says so

    @classmethod
    def takes(cls, shape: Shape, places: Places) -> bool:
        content = places.content
        if not (places.maps and isinstance(shape, Signal) and isinstance(content, Signal) and shape.grid):
            return False
        fits = all(a % b == 0 or b % a == 0 for a, b in zip(shape.axes, content.axes, strict=False))
        return shape.over == content.over and fits

    def forward(self, given: Given) -> Conditioned:
        n = len(given)
        there = given.present.to(given.value.dtype).view(n, *([1] * (given.value.ndim - 1)))
        laid = torch.cat([given.value * there, there.expand(n, 1, *given.value.shape[2:])], dim=1)
        return Conditioned(laid.new_zeros(n, self.width), aligned=fitted(laid, self.axes))


class SequenceWay(Way):
    """What is read as a sequence: the family looks at all of it, or is given its mean."""

    def __init__(self, shape: Shape, places: Places) -> None:
        super().__init__(shape, places)
        self.sequences = places.sequences
        self.sum_up = nn.Linear(places.width, places.width)

    def read(self, sequence: Tensor, unseen: Tensor, present: Tensor) -> Conditioned:
        """(n, s, width) and what of it is padding (n, s): in absent rows one learned token is all there is."""
        first = torch.zeros_like(unseen[0])
        first[0] = True
        sequence = torch.where(present[:, None, None], sequence, self.absent.to(sequence.dtype))
        unseen = torch.where(present[:, None], unseen, ~first)
        seen = (~unseen).to(sequence.dtype)[..., None]
        vector = self.sum_up((sequence * seen).sum(dim=1) / seen.sum(dim=1).clamp_min(1))
        return Conditioned(vector, sequence, unseen) if self.sequences else Conditioned(vector)


class TokensWay(SequenceWay):
    """A text is embedded and read by a small encoder."""

    def __init__(self, shape: Tokens, places: Places) -> None:
        super().__init__(shape, places)
        self.table = embedding(shape.vocab, places.width)
        self.encoder = Stack(places.width, places.reading, shape.length, places.dropout)
        self.drop = Dropout(places.dropout)

    @classmethod
    def takes(cls, shape: Shape, places: Places) -> bool:
        return isinstance(shape, Tokens)

    def forward(self, given: Given) -> Conditioned:
        unseen = given.value == PAD
        unseen = torch.cat([torch.zeros_like(unseen[:, :1]), unseen[:, 1:]], dim=1)  # attention over nothing is no number
        x = self.drop(self.table(given.value) * self.table.weight.shape[1] ** 0.5)
        return self.read(self.encoder(x, hidden(unseen[:, None, None])), unseen, given.present)


class PatchesWay(SequenceWay):
    """A grid that is not the content's (a reference picture, a sketch of other size) is read as patches."""

    def __init__(self, shape: Signal, places: Places) -> None:
        super().__init__(shape, places)
        self.patch = tuple(math.ceil(a / PATCHES) for a in shape.axes)
        self.padding = [p for a, s in zip(reversed(shape.axes), reversed(self.patch), strict=True) for p in (0, -a % s)]
        count = math.prod(math.ceil(a / s) for a, s in zip(shape.axes, self.patch, strict=True))
        self.enter = nn.Linear(shape.channels * math.prod(self.patch), places.width)
        self.place = nn.Parameter(torch.randn(count, places.width) * 0.02)
        self.encoder = Stack(places.width, places.reading, count, places.dropout)

    @classmethod
    def takes(cls, shape: Shape, places: Places) -> bool:
        return isinstance(shape, Signal) and shape.grid

    def forward(self, given: Given) -> Conditioned:
        x = F.pad(given.value, self.padding)
        for axis, size in enumerate(self.patch):
            at = 2 + 2 * axis
            x = x.reshape(*x.shape[:at], -1, size, *x.shape[at + 1 :])
        n, inner = len(x), len(self.patch)
        outer = [2 + 2 * axis for axis in range(inner)]
        x = x.permute(0, *outer, 1, *(axis + 1 for axis in outer)).flatten(1 + inner).flatten(1, inner)
        unseen = torch.zeros(n, x.shape[1], dtype=torch.bool, device=x.device)
        read = self.encoder(self.enter(x) + self.place, hidden(unseen[:, None, None]))
        return self.read(read, unseen, given.present)


ways: list[type[Way]] = [LabelWay, VectorWay, TokensWay, MapWay, PatchesWay]
"""In the order they are tried. Another kind of given is another class here, and every family takes it."""


class Conditioner(nn.Module):
    """All givens of a signature. `width` is that of the vector, `inner` that of the sequence, `channels` how many `aligned`
    has. `drop` is the share of training rows a port is hidden from where it does not say so itself; `reading` how many
    blocks read a sequence."""

    home: Tensor

    def __init__(
        self,
        signature: Signature,
        width: int,
        *,
        sequences: bool = False,
        maps: bool = False,
        reading: int = 1,
        dropout: float = 0.0,
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        sequential = any(isinstance(port.shape, Tokens) or _grid(port) for port in signature.given.values())
        self.inner = -(-width // HEAD) * HEAD if sequential else width
        places = Places(self.inner, signature.makes, sequences, maps, reading, dropout)
        self.signature, self.width, self.drop = signature, width, drop
        self.ways = nn.ModuleDict({name: _way(name, port.shape, places) for name, port in signature.given.items()})
        self.fit = nn.Linear(self.inner, width) if self.inner != width else nn.Identity()
        self.register_buffer("home", torch.zeros(0), persistent=False)  # tells the device where nothing is given
        self.channels = sum(
            port.shape.channels + 1
            for name, port in signature.given.items()
            if isinstance(self.ways[name], MapWay) and isinstance(port.shape, Signal)
        )

    @property
    def reads(self) -> bool:
        """Whether there is a sequence to look at."""
        return any(isinstance(way, SequenceWay) and way.sequences for way in self.ways.values())

    def forward(self, n: int, given: Mapping[str, Given]) -> Conditioned:
        """Of `n` rows; a column that is not among `given` is absent."""
        device = self.home.device
        vector = torch.zeros(n, self.inner, device=device)
        sequences: list[Tensor] = []
        unseen: list[Tensor] = []
        aligned: list[Tensor] = []
        together = torch.rand(n, device=device) if self.training and self.ways else None
        for name, port in self.signature.given.items():
            one = given[name] if name in given else Given.none(port.shape, n, device)
            entered = self.ways[name](self._hidden(one, port, together))
            vector = vector + entered.vector
            if entered.sequence is not None:
                sequences.append(entered.sequence)
                unseen.append(entered.hidden)
            if entered.aligned is not None:
                aligned.append(entered.aligned)
        joined = (torch.cat(pieces, dim=1) if pieces else None for pieces in (sequences, unseen, aligned))
        return Conditioned(self.fit(vector), *joined)

    def _hidden(self, given: Given, port: Port, together: Tensor | None) -> Given:
        """Hide the given from a share of the training rows: half of these lose all they are given, as guidance asks for,
        half lose this one alone."""
        share = self.drop if port.drop is None else port.drop
        if together is None or not share:
            return given
        alone = torch.rand(len(given), device=given.present.device)
        return Given(given.value, given.present & (together >= share / 2) & (alone >= share / 2))


def fitted(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """(n, channels, *axes) scaled to other axes: averaged down, or repeated up."""
    if tuple(x.shape[2:]) == axes:
        return x
    if all(a >= b for a, b in zip(x.shape[2:], axes, strict=True)):
        pools: dict[int, Callable[..., Tensor]] = {
            1: F.adaptive_avg_pool1d,
            2: F.adaptive_avg_pool2d,
            3: F.adaptive_avg_pool3d,
        }
        return pools[len(axes)](x, axes)
    return F.interpolate(x, size=axes, mode="nearest")


def _grid(port: Port) -> bool:
    return isinstance(port.shape, Signal) and port.shape.grid


def _way(name: str, shape: Shape, places: Places) -> Way:
    for way in ways:
        if way.takes(shape, places):
            return way(shape, places)
    raise ModelError(f"There is no way in for what {name} is.", got=shape, allowed="labels, vectors, texts and grids")
