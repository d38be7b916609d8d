"""What every derivation keeps, found by being there."""

from __future__ import annotations

import math

import psutil
import pytest
import torch
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.shapes import Label, Shape, Signal, Tokens
from genwright.data.derivations.base import Derivation, derivations
from tests.data.derivations.made import SHAPES, derivation, draws, filled, values

ROWS = 7
ENCODED = {"codec": Signal(channels=1, axes=(8, 6), over=("y", "x"))}  # what the made codec takes


def taken(name: str) -> list[tuple[Derivation, list[Shape]]]:
    """A derivation at work on every shape it takes, of one column or of two that are alike."""
    shapes = ENCODED if derivations.get(name).needs_model else SHAPES
    found = []
    for shape in shapes.values():
        for of in ([shape], [shape, shape]):
            one = derivation(name, **filled(name, shape))
            try:
                one.shapes(of)
            except ModelError:
                continue
            one.fit([columns(of, ROWS, seed) for seed in range(3)])
            found.append((one, of))
    return found


def columns(of: list[Shape], n: int, seed: int = 0) -> list[Tensor]:
    return [values(shape, n, seed + place) for place, shape in enumerate(of)]


def suits(value: Tensor, shape: Shape, n: int) -> bool:
    if isinstance(shape, Label):
        return value.shape == (n,) and bool(((value >= 0) & (value < shape.classes)).all())
    if isinstance(shape, Tokens):
        return value.shape == (n, shape.length) and bool(((value >= 0) & (value < shape.vocab)).all())
    ranges = not shape.bounded or float(value.abs().max()) <= 1
    return value.shape == (n, *shape.dims) and value.dtype == torch.float32 and bool(value.isfinite().all()) and ranges


every = pytest.mark.parametrize("name", list(derivations.all()))


@every
def test_it_takes_something_and_refuses_the_rest_with_a_reason(name: str) -> None:
    assert taken(name)
    for wrong in ([], [SHAPES["grey"], SHAPES["vector"]]):
        with pytest.raises(ModelError):
            derivation(name, **filled(name, SHAPES["grey"])).shapes(wrong)


@every
def test_values_are_of_the_shapes_that_were_promised(name: str) -> None:
    for one, of in taken(name):
        promised = one.shapes(of)
        for n in (1, ROWS):
            made = one.derive(columns(of, n), draws(n))
            assert set(made) == set(promised)
            assert all(suits(made[part], promised[part], n) for part in promised), of
        assert "" in promised
        assert all(part == "" or part.isidentifier() for part in promised)


@every
def test_what_it_is_made_of_stays_as_it_was(name: str) -> None:
    for one, of in taken(name):
        given, before = columns(of, ROWS), columns(of, ROWS)
        one.derive(given, draws(ROWS))
        assert all(map(torch.equal, given, before))


@every
def test_a_row_comes_out_bit_for_bit_the_same_whatever_is_beside_it(name: str) -> None:
    """Alone, among others, in another order, and laid out otherwise in memory."""
    for one, of in taken(name):
        value = columns(of, ROWS)
        whole = one.derive(value, Draws.of(3, 5, range(ROWS)))
        spread = [column.movedim(0, -1).contiguous().movedim(-1, 0) for column in value]
        for rows in ([2], [6], [5, 1], [6, 5, 4, 3, 2, 1, 0]):
            for source in (value, spread):
                part = one.derive([column[rows] for column in source], Draws.of(3, 5, rows))
                assert all(torch.equal(part[key], whole[key][rows]) for key in whole), (of, rows)


@every
def test_what_is_absent_changes_nothing_and_is_zero(name: str) -> None:
    """Whatever stands in a row that lacks a column."""
    for one, of in taken(name):
        value, present = columns(of, ROWS), torch.tensor([place % 2 == 0 for place in range(ROWS)])
        made = [one.given([Given(column * factor, present) for column in value], draws(ROWS)) for factor in (1, 0)]
        for part, first in made[0].items():
            assert not first.present[~present].any()
            assert not first.value[~first.present].any()
            assert torch.equal(first.present[present], made[0][part].present[present])
            assert torch.equal(made[1][part].present[~present], first.present[~present])


@every
def test_what_is_drawn_is_new_at_every_step_and_the_same_for_the_same_step(name: str) -> None:
    for one, of in taken(name):
        value = columns(of, ROWS)
        first, again = (one.derive(value, draws(ROWS, step=1, seed=2)) for _ in range(2))
        assert all(torch.equal(first[part], again[part]) for part in first)
        other = (one.derive(value, draws(ROWS, step, seed)) for step, seed in ((2, 2), (1, 3)))
        same = [all(torch.equal(first[part], made[part]) for part in first) for made in other]
        assert same == [not one.drawn] * 2, of


@every
def test_what_is_learned_goes_through_json(name: str) -> None:
    import json

    for one, of in taken(name):
        other = derivation(name, **filled(name, of[0]))
        other.load(json.loads(json.dumps(one.state())))
        value = columns(of, ROWS, seed=9)
        made, again = (each.derive(value, draws(ROWS)) for each in (one, other))
        assert all(torch.equal(made[part], again[part]) for part in made)


@every
def test_memory_stays_flat(name: str) -> None:
    """Nothing is kept of the batches that went through."""
    one, of = max(taken(name), key=lambda pair: math.prod(getattr(pair[1][0], "dims", (1,))))
    process, rows = psutil.Process(), 64
    value = columns(of, rows)
    for step in range(20):
        one.derive(value, draws(rows, step))
    before = process.memory_info().rss
    for step in range(200):
        one.derive(value, draws(rows, step))
    assert process.memory_info().rss - before < 8 * 2**20
