"""gpt and seq2seq: what they promise about sequences, on models small enough to check by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genwright.core.batch import Batch, Given
from genwright.core.errors import ModelError
from genwright.core.shapes import BOS, EOS, PAD, Label, Port, Shape, Signal, Signature, Tokens
from genwright.models.architectures.base import Architecture, TokenOptions, architectures, build_model
from genwright.sampling.sampler import Ask, drawn

TEXT = Tokens(vocab=24, length=12)
SOURCE = Tokens(vocab=20, length=9)
CONFIG = {"width": 64, "depth": 2, "dropout": 0.0}
GREEDY = TokenOptions(temperature=0)


def signature(name: str) -> Signature:
    return Signature(makes=TEXT, given={"source": Port(shape=SOURCE)} if name == "seq2seq" else {})


def sequences(n: int, seed: int = 0) -> Tensor:
    """BOS, 1 to 9 tokens, EOS, PAD."""
    random = torch.Generator().manual_seed(seed)
    rows = torch.full((n, TEXT.length), PAD)
    for row in rows:
        size = int(torch.randint(1, 10, (), generator=random))
        row[0], row[size + 1] = BOS, EOS
        row[1 : size + 1] = torch.randint(3, TEXT.vocab, (size,), generator=random)
    return rows


def sources(n: int, seed: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    rows = torch.randint(3, SOURCE.vocab, (n, SOURCE.length), generator=random)
    for row in rows:
        end = int(torch.randint(1, SOURCE.length, (), generator=random))
        row[end], row[end + 1 :] = EOS, PAD
    return rows


def model(name: str, **config: float) -> Architecture:
    """Fresh weights, output projections made non-zero so that every layer takes part."""
    torch.manual_seed(0)
    made = build_model(name, {**CONFIG, **config}, signature(name))
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 2 and not parameter.any():
                parameter.normal_(std=0.1)
    return made.eval()


def batch(name: str, n: int = 6) -> Batch:
    return Batch(sequences(n), {"source": Given.all(sources(n))} if name == "seq2seq" else {})


def nll(made: Architecture, data: Batch) -> Tensor:
    with torch.no_grad():
        return made.token_nll(data)  # type: ignore[operator,no-any-return]


def fit(made: Architecture, data: Batch, steps: int = 250) -> Architecture:
    made.train()
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3, betas=(0.9, 0.95))
    for _ in range(steps):
        optimizer.zero_grad()
        made.loss(data, "model").backward()
        optimizer.step()
    return made.eval()


def asks(data: Batch, options: TokenOptions, prompt: Tensor | None = None) -> list[Ask]:
    """A row for each of a batch: given what that row is given, begun with the prompt."""
    given = [{name: column.value[row] for name, column in data.given.items()} for row in range(len(data))]
    return [Ask((0, row), options, given[row], prompt) for row in range(len(data))]


def written(made: Architecture, data: Batch, options: TokenOptions, prompt: Tensor | None = None) -> Tensor:
    return drawn(made, asks(data, options, prompt), slots=max(len(data), options.beams))


FAMILIES = pytest.mark.parametrize("name", ["gpt", "seq2seq"])


@FAMILIES
def test_nothing_is_known_of_later_tokens(name: str) -> None:
    made, data = model(name), batch(name)
    changed = data.made.clone()
    changed[:, 7:] = 5
    assert torch.allclose(nll(made, data)[:, :7], nll(made, Batch(changed, data.given))[:, :7], atol=1e-5)


@FAMILIES
def test_padding_costs_nothing_and_changes_nothing(name: str) -> None:
    made, data = model(name), batch(name)
    nats = nll(made, data)
    assert (nats[(data.made == PAD) | (data.made == BOS)] == 0).all()
    assert (nats[(data.made != PAD) & (data.made != BOS)] > 0).all()
    for row in range(len(nats)):
        size = int((data.made[row] != PAD).sum())
        one = data[slice(row, row + 1)]
        given = {key: Given.all(column.value[:, : int((column.value != PAD).sum())]) for key, column in one.given.items()}
        assert torch.allclose(nll(made, Batch(one.made[:, :size], given))[0], nats[row, :size], atol=1e-5)


@FAMILIES
def test_the_loss_is_the_mean_of_what_tokens_cost(name: str) -> None:
    made, data = model(name), batch(name)
    nats = nll(made, data)
    scored = (data.made != PAD) & (data.made != BOS)
    assert made.loss(data, "model").item() == pytest.approx(nats.sum().item() / int(scored.sum()), rel=1e-5)


def test_smoothing_is_for_training_only() -> None:
    data = batch("seq2seq")
    made = fit(model("seq2seq", smoothing=0.0), data, steps=80)
    made.config = made.config.model_copy(update={"smoothing": 0.1})
    honest = made.loss(data, "model").item()
    assert made.train().loss(data, "model").item() > honest + 0.1


@FAMILIES
def test_one_batch_is_learned_by_heart_and_written_again(name: str) -> None:
    """Greedy writing through the cache gives exactly what was learned, so it agrees with the parallel pass."""
    data = batch(name) if name == "seq2seq" else batch(name)[:1]
    made = fit(model(name) if name == "gpt" else model(name, smoothing=0.0), data)
    assert nll(made, data).sum() / len(data) < 0.3
    once = written(made, data, GREEDY)
    assert torch.equal(once[:, : TEXT.length - 1], data.made[:, 1:])
    assert torch.equal(written(made, data, TokenOptions(beams=3)), once)


@FAMILIES
def test_the_cache_changes_nothing(name: str) -> None:
    """Greedy tokens through the cache are those of a full pass over everything written so far."""
    made, data = model(name), batch(name, 4)
    prompt = torch.tensor([7, 8, 9])
    rows = written(made, data, GREEDY, prompt)
    assert torch.equal(rows[:, :3], prompt.expand(4, -1))
    for row in range(4):
        for at in range(3, TEXT.length - 1):
            if EOS in rows[row, :at]:
                assert rows[row, at] == PAD
                continue
            so_far = torch.cat([torch.tensor([BOS]), rows[row, :at]])
            costs = torch.stack([_cost_of(made, data[slice(row, row + 1)], so_far, token) for token in range(3, TEXT.vocab)])
            likeliest = int(torch.cat([_cost_of(made, data[slice(row, row + 1)], so_far, EOS)[None], costs]).argmin())
            assert rows[row, at] == (EOS if likeliest == 0 else likeliest + 2)


def _cost_of(made: Architecture, row: Batch, so_far: Tensor, token: int) -> Tensor:
    """Nats of a token after what was written, by the pass over the whole sequence."""
    return nll(made, Batch(torch.cat([so_far, torch.tensor([token])])[None], row.given))[0, -1]


def test_a_wider_beam_finds_no_worse_answers() -> None:
    made, data = model("seq2seq"), batch("seq2seq", 8)

    def score(rows: Tensor) -> float:
        content = torch.cat([torch.full((8, 1), BOS), rows], dim=1)[:, : TEXT.length]
        return -nll(made, Batch(content, data.given)).sum().item()

    assert score(written(made, data, TokenOptions(beams=8, penalty=0.0))) >= score(written(made, data, GREEDY))


def test_sampling_follows_its_options() -> None:
    made, data = model("gpt"), batch("gpt", 64)
    free = written(made, data, TokenOptions(top_p=1.0))
    greedy = written(made, data, GREEDY)
    assert len(free.unique(dim=0)) > 30
    assert len(greedy.unique(dim=0)) == 1
    assert torch.equal(written(made, data, TokenOptions(top_k=1)), greedy)
    assert torch.equal(written(made, data, TokenOptions(top_p=1e-6)), greedy)
    assert not (free == BOS).any()
    assert not (free[:, 0] == PAD).any()


def test_a_label_decides_what_is_written() -> None:
    rows = torch.full((2, TEXT.length), PAD)
    rows[:, :4] = torch.tensor([[BOS, 5, 6, EOS], [BOS, 9, 8, EOS]])
    torch.manual_seed(0)
    labelled = Signature(makes=TEXT, given={"label": Port(shape=Label(classes=2))})
    made = fit(build_model("gpt", CONFIG, labelled), Batch(rows, {"label": Given.all(torch.tensor([0, 1]))}), steps=60)
    swapped = Batch(rows, {"label": Given.all(torch.tensor([1, 0]))})
    assert written(made, swapped, GREEDY)[:, :3].tolist() == [[9, 8, EOS], [5, 6, EOS]]


def test_a_prompt_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(ModelError, match="too long") as caught:
        written(model("gpt"), batch("gpt", 1), GREEDY, torch.full((TEXT.length,), 5))
    assert str(TEXT.length - 1) in str(caught.value)


def test_what_they_take() -> None:
    gpt, seq2seq = architectures.get("gpt"), architectures.get("seq2seq")

    def given(makes: Shape, **ports: Shape) -> Signature:
        return Signature(makes=makes, given={name: Port(shape=shape) for name, shape in ports.items()})

    picture = Signal(channels=1, axes=(8, 8), over=("y", "x"))
    assert gpt.accepts(given(TEXT)) is None
    assert gpt.accepts(given(TEXT, label=Label(classes=3))) is None
    assert gpt.accepts(given(picture))
    assert seq2seq.accepts(given(TEXT, source=SOURCE)) is None
    assert seq2seq.accepts(given(TEXT))
    assert seq2seq.accepts(given(picture, source=SOURCE))
