"""Writing token by token: prompts, options, beams, streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from genwright.core.batch import Batch, Given
from genwright.core.errors import ModelError
from genwright.core.shapes import BOS, EOS, PAD
from genwright.models.architectures.base import Architecture, Decodes, ScoresTokens, TokenOptions
from genwright.sampling.sampler import Ask, drawn, sampler
from tests.sampling.subjects import CAPTION, TEXT, ask, distinct, model, value

WRITERS = pytest.mark.parametrize("case", ["gpt", "gpt-label", "seq2seq-caption", "seq2seq-label-picture"])


def options(**asked: Any) -> TokenOptions:
    return TokenOptions.model_validate({"top_p": 1.0, **asked})


def score(made: Architecture, row: Tensor, given: dict[str, Tensor]) -> float:
    """Log probability of a row that fits."""
    assert isinstance(made, ScoresTokens)
    content = torch.cat([torch.tensor([BOS]), row])[None, : TEXT.length]
    return -made.token_nll(Batch(content, {name: Given.all(one[None]) for name, one in given.items()})).sum().item()


def following(made: Architecture, written: Tensor, given: Mapping[str, Tensor]) -> Tensor:
    """(vocab,) log probabilities of the token after those written, by a full pass over all of them."""
    assert isinstance(made, ScoresTokens)
    rows = {name: Given.all(one.expand(TEXT.vocab, *one.shape)) for name, one in given.items()}
    so_far = torch.cat([torch.tensor([BOS]), written]).expand(TEXT.vocab, -1)
    with torch.no_grad():
        chances = -made.token_nll(Batch(torch.cat([so_far, torch.arange(TEXT.vocab)[:, None]], dim=1), rows))[:, -1]
    chances[[PAD, BOS]] = -torch.inf
    return chances.log_softmax(dim=0)


@WRITERS
def test_the_cache_changes_nothing(case: str) -> None:
    """Greedy tokens are the likeliest of a full pass over everything written so far, with prompts of any length."""
    made = model(case)
    for size in (0, 1, 6, 33):
        one = ask(made, 2, temperature=0, beams=1, most=8)
        prompt = torch.randint(3, TEXT.vocab, (size,), generator=torch.Generator().manual_seed(size))
        row = drawn(made, [Ask((1,), one.options, one.given, prompt)], 2)[0]
        assert torch.equal(row[:size], prompt)
        for at in range(size, min(size + 8, TEXT.length - 1)):
            assert row[at] == (PAD if EOS in row[:at] else following(made, row[:at], one.given).argmax())


@WRITERS
def test_a_beam_search_finds_what_one_without_a_cache_finds(case: str) -> None:
    made, beams, most = model(case), 4, 7
    for number, penalty in ((1, 0.0), (2, 1.0), (3, 1.5)):
        one, prompt = ask(made, number), torch.tensor([9, 4][: number - 1], dtype=torch.int64)
        found: list[tuple[float, list[int]]] = [(0.0, [])]
        for _ in range(most):
            longer = [hypothesis for hypothesis in found if EOS in hypothesis[1]]
            for total, tokens in found:
                if EOS not in tokens:
                    gains = following(made, torch.cat([prompt, torch.tensor(tokens).long()]), one.given).tolist()
                    longer += [(total + gain, [*tokens, token]) for token, gain in enumerate(gains)]
            found = sorted(longer, key=lambda h: h[0] / len(h[1]) ** penalty, reverse=True)[:beams]
        wanted = Ask((1,), options(beams=beams, penalty=penalty, most=most), one.given, prompt)
        row = drawn(made, [ask(made, 5), wanted], 9)[1]
        assert row[row != PAD].tolist() == [*prompt.tolist(), *found[0][1]]


@WRITERS
def test_rows_end_and_are_padded(case: str) -> None:
    made = model(case)
    rows = drawn(made, [ask(made, number, temperature=2.0, beams=1) for number in range(40)], 8)
    assert rows.dtype == torch.int64
    assert rows.shape == (40, TEXT.length)
    assert not (rows == BOS).any()
    ended = 0
    for row in rows:
        ends = (row == EOS).nonzero()
        ended += len(ends)
        assert len(ends) <= 1
        assert (row[int(ends[0]) + 1 :] == PAD).all() if len(ends) else not (row == PAD).any()
    assert ended


def test_most_ends_a_row_that_does_not_end_by_itself() -> None:
    made = model("gpt")
    prompt = torch.tensor([5, 6])
    row = drawn(made, [Ask((3,), options(most=4), start=prompt)], 1)[0]
    assert ((row != PAD).sum() == 6) or (EOS in row[:6])
    assert (row[6:] == PAD).all()
    beamed = drawn(made, [Ask((3,), options(most=4, beams=4), start=prompt)], 4)[0]
    assert (beamed[6:] == PAD).all()


def test_sampling_follows_its_options() -> None:
    made = model("gpt")

    def many(**asked: Any) -> Tensor:
        return drawn(made, [Ask((0, place), options(**asked)) for place in range(64)], 16)

    free, greedy = many(), many(temperature=0)
    assert distinct(free) > 30
    assert distinct(greedy) == 1
    assert torch.equal(many(top_k=1), greedy)
    assert torch.equal(many(top_p=1e-6), greedy)
    assert torch.equal(many(top_k=1000), free)
    assert distinct(many(top_k=3)[:, :1]) <= 3
    assert distinct(many(temperature=0.3)) > 1


@pytest.mark.parametrize("case", ["gpt-label", "seq2seq-caption"])
def test_a_wider_beam_finds_no_worse_answers(case: str) -> None:
    made = model(case)
    given = [ask(made, number).given for number in range(1, 9)]

    def total(beams: int) -> float:
        wanted = [Ask((1,), options(beams=beams, penalty=0.0, most=6, temperature=0.0), dict(one)) for one in given]
        return sum(score(made, row, dict(one)) for row, one in zip(drawn(made, wanted, 8), given, strict=True))

    assert total(8) >= total(1) - 1e-4


def test_the_penalty_prefers_longer_or_shorter_answers() -> None:
    made = model("seq2seq-caption")
    given = [{"caption": value(CAPTION, torch.Generator().manual_seed(number))} for number in range(8)]
    sizes = []
    for penalty in (0.0, 2.0):
        rows = drawn(made, [Ask((1,), options(beams=8, penalty=penalty), one) for one in given], 8)
        sizes.append(int((rows != PAD).sum()))
    assert sizes[0] < sizes[1]


@WRITERS
def test_pieces_join_up_to_the_row(case: str) -> None:
    made = model(case)
    at = sampler(made, 7)
    waiting = [ask(made, number) for number in range(12)]
    asked: dict[int, Ask] = {}
    pieces: dict[int, list[Tensor]] = {}
    counts: list[int] = []
    while waiting or at.running:
        while waiting and at.need(waiting[0]) <= at.free:
            one = waiting.pop(0)
            [slot] = at.admit([one])
            asked[slot], pieces[slot] = one, []
        for tick in at.step():
            if tick.piece is not None:
                pieces[tick.slot].append(tick.piece)
            if tick.done:
                row, prompt = at.take(tick.slot), asked[tick.slot].start
                joined = torch.cat(([] if prompt is None else [prompt]) + pieces[tick.slot])
                assert torch.equal(joined, row[row != PAD])
                counts.append(len(pieces[tick.slot]))
    assert len(counts) == 12
    assert max(counts) > 5


def test_a_beam_search_takes_a_slot_for_each_hypothesis() -> None:
    made = model("seq2seq-caption")
    at, one = sampler(made, 5), ask(made, 1, beams=4)
    assert at.need(one) == 4
    [slot] = at.admit([one])
    assert at.free == 1
    at.drop(slot)
    assert at.free == 5
    with pytest.raises(ModelError, match="slot for each") as caught:
        at.admit([ask(made, 1, beams=6)])
    assert "up to 5" in str(caught.value)
    assert len(drawn(made, [ask(made, 1, beams=6)], 5)) == 1  # who only wants the rows need not know of it


def test_how_far_the_others_go_back_changes_no_bit() -> None:
    """Logits, which show what tokens may hide: a short row beside long ones, and beside none."""
    made = model("gpt")
    assert isinstance(made, Decodes)
    random = torch.Generator().manual_seed(0)
    own, found = torch.randint(3, TEXT.vocab, (6,), generator=random), []
    with torch.no_grad():
        for others in (0, 20, 38):
            cache = made.cache(3)
            for slot, size in ((0, others), (1, len(own)), (2, others)):
                if slot == 1 or others:
                    made.begin(made.read(1, {}), cache[slot])
                    prompt = own if slot == 1 else torch.randint(3, TEXT.vocab, (size,), generator=random)
                    made.logits(prompt[None], cache[slot])
            found.append([made.logits(torch.full((3, 1), 4 + step), cache)[1] for step in range(2)])
    for other in found[1:]:
        assert torch.equal(torch.stack(other), torch.stack(found[0]))


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        (torch.full((TEXT.length,), 5), f"up to {TEXT.length - 1} tokens"),
        (torch.tensor([5, EOS]), "cannot be written"),
        (torch.tensor([TEXT.vocab]), "cannot be written"),
        (torch.zeros(3), "a row of tokens"),
    ],
)
def test_a_prompt_that_cannot_be_gone_on_from_is_refused(prompt: Tensor, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        drawn(model("gpt"), [Ask((1,), options(), start=prompt)], 1)


def test_places_in_between_cannot_be_kept() -> None:
    with pytest.raises(ModelError, match="as a prompt"):
        drawn(model("gpt"), [Ask((1,), options(), start=torch.tensor([5]), keep=torch.ones(1))], 1)
