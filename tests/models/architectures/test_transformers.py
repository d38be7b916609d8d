"""gpt and seq2seq: what they promise about sequences, on models small enough to check by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genwright.core.errors import ModelError
from genwright.core.shapes import BOS, EOS, PAD, Label, Signal, Tokens
from genwright.data.dataset import Batch
from genwright.models.architectures.base import Architecture, build_model
from genwright.models.architectures.gpt import GptOptions
from genwright.models.architectures.seq2seq import Seq2seqOptions

TEXT = Tokens(vocab=24, length=12)
SOURCE = Tokens(vocab=20, length=9)
CONFIG = {"width": 64, "depth": 2, "dropout": 0.0}


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
    made = build_model(name, {**CONFIG, **config}, TEXT, SOURCE if name == "seq2seq" else None)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 2 and not parameter.any():
                parameter.normal_(std=0.1)
    return made.eval()


def batch(name: str, n: int = 6) -> Batch:
    return Batch(sequences(n), sources(n) if name == "seq2seq" else None)


def fit(name: str, data: Batch, steps: int = 250) -> Architecture:
    made = (model(name) if name == "gpt" else model(name, smoothing=0.0)).train()
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3, betas=(0.9, 0.95))
    for _ in range(steps):
        optimizer.zero_grad()
        made.loss(data, "model").backward()
        optimizer.step()
    return made.eval()


FAMILIES = pytest.mark.parametrize("name", ["gpt", "seq2seq"])


@FAMILIES
def test_nothing_is_known_of_later_tokens(name: str) -> None:
    made, data = model(name), batch(name)
    changed = data.content.clone()
    changed[:, 7:] = 5
    before = made.token_nll(data)[:, :7]  # type: ignore[operator]
    after = made.token_nll(Batch(changed, data.condition))[:, :7]  # type: ignore[operator]
    assert torch.allclose(before, after, atol=1e-5)


@FAMILIES
def test_padding_costs_nothing_and_changes_nothing(name: str) -> None:
    made, data = model(name), batch(name)
    nats = made.token_nll(data)  # type: ignore[operator]
    assert (nats[(data.content == PAD) | (data.content == BOS)] == 0).all()
    assert (nats[(data.content != PAD) & (data.content != BOS)] > 0).all()
    for row in range(len(nats)):
        size = int((data.content[row] != PAD).sum())
        condition = data.condition[row : row + 1] if data.condition is not None else None
        if condition is not None:
            condition = condition[:, : int((condition != PAD).sum())]
        alone = made.token_nll(Batch(data.content[row : row + 1, :size], condition))  # type: ignore[operator]
        assert torch.allclose(alone[0], nats[row, :size], atol=1e-5)


@FAMILIES
def test_the_loss_is_the_mean_of_what_tokens_cost(name: str) -> None:
    made, data = model(name), batch(name)
    nats = made.token_nll(data)  # type: ignore[operator]
    scored = (data.content != PAD) & (data.content != BOS)
    assert made.loss(data, "model").item() == pytest.approx(nats.sum().item() / int(scored.sum()), rel=1e-5)


def test_smoothing_is_for_training_only() -> None:
    data = batch("seq2seq")
    made = fit("seq2seq", data, steps=80)
    made.config = made.config.model_copy(update={"smoothing": 0.1})
    honest = made.loss(data, "model").item()
    assert made.train().loss(data, "model").item() > honest + 0.1


@FAMILIES
def test_one_batch_is_learned_by_heart_and_written_again(name: str) -> None:
    """Greedy writing through the cache gives exactly what was learned, so it agrees with the parallel pass."""
    data = batch(name)
    if name == "gpt":
        data = Batch(data.content[:1])
    made = fit(name, data)
    assert made.token_nll(data).sum() / len(data.content) < 0.3  # type: ignore[operator]
    options = GptOptions(temperature=0) if name == "gpt" else Seq2seqOptions(beams=1)
    written = made.sample(len(data.content), data.condition, options)
    assert torch.equal(written[:, :-1], data.content[:, 1:])
    if name == "seq2seq":
        beamed = made.sample(len(data.content), data.condition, Seq2seqOptions(beams=3))
        assert torch.equal(beamed, written)


@FAMILIES
def test_the_cache_changes_nothing(name: str) -> None:
    """Greedy tokens through the cache are those of a full pass over everything written so far."""
    made = model(name)
    condition = sources(4) if name == "seq2seq" else None
    options = GptOptions(temperature=0) if name == "gpt" else Seq2seqOptions(beams=1)
    prefix = torch.tensor([[7, 8, 9]]).expand(4, -1)
    with torch.no_grad():
        written = made.sample(4, condition, options, prefix)
        assert torch.equal(written[:, :3], prefix)
        for row in range(4):
            for at in range(3, TEXT.length):
                if EOS in written[row, :at]:
                    assert written[row, at] == PAD
                    continue
                so_far = torch.cat([torch.tensor([BOS]), written[row, :at]])[None]
                one = None if condition is None else condition[row : row + 1]
                if name == "gpt":
                    logits = made._logits(so_far, None)[0, -1]  # type: ignore[operator]
                else:
                    logits = made._logits(so_far, made._encode(1, one))[0, -1]  # type: ignore[operator]
                logits[[PAD, BOS]] = -torch.inf
                assert written[row, at] == logits.argmax()


def test_a_wider_beam_finds_no_worse_answers() -> None:
    made, condition = model("seq2seq"), sources(8)

    def score(written: Tensor) -> float:
        content = torch.cat([torch.full((8, 1), BOS), written], dim=1)[:, : TEXT.length]
        return -made.token_nll(Batch(content, condition)).sum().item()  # type: ignore[operator]

    with torch.no_grad():
        greedy = score(made.sample(8, condition, Seq2seqOptions(beams=1)))
        wide = score(made.sample(8, condition, Seq2seqOptions(beams=8, penalty=0.0)))
    assert wide >= greedy


def test_sampling_follows_its_options() -> None:
    made = model("gpt")
    torch.manual_seed(0)
    free = made.sample(64, None, GptOptions(top_p=1.0))
    greedy = made.sample(64, None, GptOptions(temperature=0))
    assert len(free.unique(dim=0)) > 30
    assert len(greedy.unique(dim=0)) == 1
    assert torch.equal(made.sample(64, None, GptOptions(top_k=1)), greedy)
    assert torch.equal(made.sample(64, None, GptOptions(top_p=1e-6)), greedy)
    assert not (free == BOS).any()
    assert not (free[:, 0] == PAD).any()


def test_a_label_decides_what_is_written() -> None:
    rows = torch.full((2, TEXT.length), PAD)
    rows[:, :4] = torch.tensor([[BOS, 5, 6, EOS], [BOS, 9, 8, EOS]])
    data = Batch(rows, torch.tensor([0, 1]))
    torch.manual_seed(0)
    made = build_model("gpt", CONFIG, TEXT, Label(classes=2))
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        made.loss(data, "model").backward()
        optimizer.step()
    written = made.eval().sample(2, torch.tensor([1, 0]), GptOptions(temperature=0))
    assert written[:, :3].tolist() == [[9, 8, EOS], [5, 6, EOS]]


def test_a_prompt_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(ModelError, match="too long") as caught:
        model("gpt").sample(1, None, GptOptions(), torch.full((1, TEXT.length), 5))
    assert str(TEXT.length - 1) in str(caught.value)


def test_what_they_take() -> None:
    from genwright.models.architectures.base import architectures

    gpt, seq2seq = architectures.get("gpt"), architectures.get("seq2seq")
    picture = Signal(channels=1, axes=(8, 8))
    assert gpt.accepts(TEXT, None) is None
    assert gpt.accepts(TEXT, Label(classes=3)) is None
    assert "seq2seq" in str(gpt.accepts(TEXT, SOURCE))
    assert gpt.accepts(picture, None)
    assert seq2seq.accepts(TEXT, SOURCE) is None
    assert seq2seq.accepts(TEXT, None)
    assert seq2seq.accepts(picture, SOURCE)
