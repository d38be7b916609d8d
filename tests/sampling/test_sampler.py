"""A row's result depends on what was asked alone, to the bit: of every family, whoever comes, stays and leaves beside it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genwright.core.errors import ModelError, NotFinite
from genwright.models.architectures.base import Denoises
from genwright.sampling.sampler import Ask, Sampler, draw, drawn, sampler
from tests.sampling.subjects import CASES, LABEL, TEXT, ask, distinct, model

SLOTS = 5
ROWS = 14
EVERY = pytest.mark.parametrize("case", CASES)


def alone(case: str, numbers: range) -> list[Tensor]:
    """Each row with a sampler of its own."""
    made = model(case)
    return [drawn(made, [ask(made, number)], SLOTS)[0] for number in numbers]


def finish(at: Sampler, slots: dict[int, int]) -> dict[int, Tensor]:
    """Step until all rows are done; `slots` says which number is in which."""
    found: dict[int, Tensor] = {}
    while at.running:
        found |= {slots[tick.slot]: at.take(tick.slot) for tick in at.step() if tick.done}
    return found


@EVERY
def test_alone_and_among_others_a_row_is_the_same(case: str) -> None:
    made, single = model(case), alone(case, range(ROWS))
    asks = [ask(made, number) for number in range(ROWS)]
    assert torch.equal(drawn(made, asks, SLOTS), torch.stack(single))
    assert torch.equal(drawn(made, asks[::-1], SLOTS), torch.stack(single[::-1]))
    assert torch.equal(drawn(made, asks[:3], SLOTS), torch.stack(single[:3]))
    assert distinct(torch.stack(single)) > ROWS // 2


@EVERY
def test_who_joins_or_is_dropped_disturbs_nobody(case: str) -> None:
    made, single = model(case), alone(case, range(6))
    at = sampler(made, SLOTS)
    [first, second] = at.admit([ask(made, 0), ask(made, 1)])
    at.step()
    [third] = at.admit([ask(made, 4)])
    if second in at.running:
        at.step()
    at.drop(second)
    [fourth] = at.admit([ask(made, 3)])
    found = finish(at, {first: 0, third: 4, fourth: 3})
    left = {0: first, 4: third, 3: fourth}
    found |= {number: at.take(left[number]) for number in left if number not in found}
    for number, row in found.items():
        assert torch.equal(row, single[number]), number
    assert at.free == SLOTS
    assert torch.equal(drawn(made, [ask(made, 1)], SLOTS)[0], single[1])


@pytest.mark.parametrize("case", ["seq2seq-label-picture", "diffusion-all", "vae-label-mask"])
def test_numbers_that_are_none_stay_with_the_row_that_has_them(case: str) -> None:
    made, single = model(case), alone(case, range(2, 4))
    bad = ask(made, 3)
    name = next(name for name, given in bad.given.items() if given.is_floating_point())
    bad = Ask(bad.key, bad.options, {**bad.given, name: torch.full_like(bad.given[name], torch.nan)})
    at = sampler(made, SLOTS)
    slots = at.admit([bad, ask(made, 2), ask(made, 3)])
    while at.running:
        at.step()
    with pytest.raises(NotFinite, match="not finite"):
        at.take(slots[0])
    assert torch.equal(torch.stack([at.take(slot) for slot in slots[1:]]), torch.stack(single))
    assert torch.equal(drawn(made, [ask(made, 2)] * SLOTS, SLOTS)[-1], single[0])  # nothing of it is left in a slot


@EVERY
def test_another_key_is_another_row_and_the_same_key_the_same(case: str) -> None:
    made = model(case)
    options = {"beams": 1, "temperature": 1.0} if made.makes == TEXT else {}
    one = ask(made, 2, **options)
    rows = drawn(made, [one, one, Ask((7, 999), one.options, one.given)], 3)
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


@EVERY
def test_what_is_given_makes_a_difference_and_may_be_left_out(case: str) -> None:
    made = model(case)
    options = {"beams": 1, "temperature": 1.0, "top_p": 1.0} if made.makes == TEXT else {}
    one = ask(made, 1, **options)
    rows = drawn(made, [one, Ask(one.key, one.options, start=one.start, keep=one.keep)], 2)
    assert torch.equal(rows[0], rows[1]) == (not made.signature.given)


def test_the_model_is_put_back_and_learns_nothing() -> None:
    made = model("diffusion-label")
    row = drawn(made, [ask(made, 0)], 1)
    made.train()
    try:
        assert torch.equal(drawn(made, [ask(made, 0)], 1), row)
        assert made.training
        assert not row.requires_grad
    finally:
        made.eval()


def test_a_row_comes_as_soon_as_it_is_done() -> None:
    made = model("diffusion")
    asks = [ask(made, 0, steps=steps) for steps in (6, 2, 1, 3)]
    assert [place for place, _ in draw(sampler(made, 2), asks)] == [1, 2, 0, 3]


def test_who_stops_waiting_leaves_no_row_behind() -> None:
    made = model("diffusion")
    at = sampler(made, 3)
    rows = draw(at, [ask(made, 0, steps=steps) for steps in (1, 4, 4, 4)])
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert at.free == 3
    assert at.running == []


def test_a_slot_is_free_once_its_row_was_taken() -> None:
    made = model("gan")
    at = sampler(made, 2)
    [slot, _] = at.admit([ask(made, 0), ask(made, 1)])
    assert at.free == 0
    with pytest.raises(ModelError, match="not enough free slots"):
        at.admit([ask(made, 2)])
    with pytest.raises(ValueError, match="no finished row"):
        at.take(slot)
    assert [tick.done for tick in at.step()] == [True, True]
    assert at.step() == []
    at.take(slot)
    assert at.free == 1
    assert at.admit([ask(made, 2)]) == [slot]


def test_nothing_is_begun_when_one_cannot_be_drawn() -> None:
    made = model("gan-label-caption")
    at, good = sampler(made, 4), ask(made, 1)
    wrong: list[tuple[dict[str, Tensor], str]] = [
        ({"lable": torch.tensor(1)}, "label"),
        ({"label": torch.tensor(LABEL.classes)}, f"0 to {LABEL.classes - 1}"),
        ({"label": torch.tensor([1])}, "does not fit"),
        ({"caption": torch.zeros(9)}, "does not fit"),
    ]
    for given, told in wrong:
        with pytest.raises(ModelError, match=told):
            at.admit([good, Ask((1,), good.options, given)])
        assert at.free == 4
    with pytest.raises(ModelError, match="EmitOptions"):
        at.admit([Ask((1,), model("diffusion").Options())])


@pytest.mark.parametrize("case", ["gan", "vae"])
def test_who_makes_a_sample_in_one_go_says_what_can_begin_from_one(case: str) -> None:
    made = model(case)
    with pytest.raises(ModelError, match="diffusion"):
        drawn(made, [Ask((1,), made.Options(), start=torch.zeros(1, 5, 5))], 1)


def test_the_temperature_spreads_the_latents() -> None:
    made = model("gan")
    rows = {
        t: drawn(made, [Ask((n,), made.Options.model_validate({"temperature": t})) for n in range(8)], 8) for t in (0, 0.5, 1)
    }
    assert distinct(rows[0]) == 1
    assert rows[0.5].var(dim=0).sum() < rows[1].var(dim=0).sum()
    assert not isinstance(made, Denoises)
