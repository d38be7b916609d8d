"""Rows on their way through a graph: each step for all rows together, each row by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import torch
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.models.architectures.base import SampleOptions
from genwright.sampling.graph import Graph, Step
from genwright.sampling.sampler import Ask, drawn


@dataclass(frozen=True)
class Wish:
    """One row that is wanted of a graph. Its result depends on this alone. `key` names its random streams, `given` holds
    rows of columns, `options` how each member samples, `start` and `keep` what the last one begins from and where that
    stays."""

    key: tuple[int, ...]
    options: Mapping[str, SampleOptions]
    given: Mapping[str, Tensor] = field(default_factory=dict)
    start: Tensor | None = None
    keep: Tensor | None = None


def granted(graph: Graph, wishes: Sequence[Wish], slots: int, device: str) -> list[Tensor]:
    """What is made of each wish, in order. Raises ModelError for one that cannot be granted."""
    found: list[Tensor | None] = [None] * len(wishes)
    groups: dict[frozenset[str], list[int]] = {}
    for place, wish in enumerate(wishes):
        groups.setdefault(frozenset(wish.given), []).append(place)
    for names, places in groups.items():
        steps = graph.resolve(graph.makes, names)
        rows = _walk(graph, steps, [wishes[place] for place in places], slots, device)
        for place, row in zip(places, rows, strict=True):
            found[place] = row
    return [row for row in found if row is not None]


def _walk(graph: Graph, steps: list[Step], wishes: list[Wish], slots: int, device: str) -> list[Tensor]:
    rows: list[dict[str, Tensor]] = [dict(wish.given) for wish in wishes]
    last = max((place for place, step in enumerate(steps) if step.how == "make"), default=-1)
    for place, step in enumerate(steps):
        if step.how == "make":
            asks = [_ask(graph, step, wish, row, whole=place == last) for wish, row in zip(wishes, rows, strict=True)]
            for row, value in zip(rows, drawn(graph.members[step.by].model, asks, slots), strict=True):
                row[step.column] = value
        elif step.how == "derive":
            for wish, row in zip(wishes, rows, strict=True):
                row |= _derived(graph, step, wish, row, device)
        else:
            for row in rows:
                value = graph.makings[step.by].derivation.back(row[step.of[0]][None].to(device))
                row[step.column] = value[0].cpu()
    return [_kept(row[graph.makes], wish) for row, wish in zip(rows, wishes, strict=True)]


def _kept(made: Tensor, wish: Wish) -> Tensor:
    """What was made, and the start itself where it stays: a codec would give it back only nearly."""
    return made if wish.keep is None or wish.start is None else torch.where(wish.keep > 0, wish.start, made)


def _ask(graph: Graph, step: Step, wish: Wish, row: Mapping[str, Tensor], *, whole: bool) -> Ask:
    """What a row asks of a member; the last one begins from the wish's start."""
    own = graph.members[step.by].info.signature.given
    given = {name: row[name] for name in own if name in row}
    key = (*wish.key, crc32(step.by.encode())) if step.by else wish.key
    if not whole or wish.start is None:
        return Ask(key, wish.options[step.by], given)
    start, keep = graph.begun(step.column, wish.start, wish.keep)
    return Ask(key, wish.options[step.by], given, start, keep)


def _derived(graph: Graph, step: Step, wish: Wish, row: Mapping[str, Tensor], device: str) -> dict[str, Tensor]:
    of = [Given.all(row[name][None].to(device)) for name in step.of]
    made = graph.makings[step.by].derive(of, Draws([(*wish.key, crc32(step.by.encode()))], device))
    with torch.no_grad():
        return {name: given.value[0].cpu() for name, given in made.items() if name not in row}
