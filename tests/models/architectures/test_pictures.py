"""Families of pictures: what their parts promise, apart from what every family keeps."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from genwright.core.batch import Batch, Given
from genwright.core.shapes import Label, Port, Shape, Signal, Signature
from genwright.models.architectures.adversarial import Adversarial
from genwright.models.architectures.base import Architecture, architectures, build_model
from genwright.models.architectures.denoising import Denoising
from genwright.models.architectures.dit import Dit
from genwright.models.architectures.vae import Vae, _off
from genwright.training.learner import Learner
from tests import made

PICTURE = Signal(channels=3, axes=(16, 24), over=("y", "x"))
SKETCH = Signal(channels=1, axes=(16, 24), over=("y", "x"))
SCHEDULES, TARGETS = ("cosine", "linear", "sigmoid", "straight"), ("v", "noise", "content", "flow")


def signature(makes: Shape = PICTURE, **given: Shape) -> Signature:
    return Signature(makes=makes, given={name: Port(shape=shape) for name, shape in given.items()})


def model(name: str, its: Signature, **config: Any) -> Architecture:
    torch.manual_seed(0)
    told = architectures.get(name).sized(its, 0.125).model_dump(mode="json") | config
    return build_model(name, told, its)


@pytest.mark.parametrize(("schedule", "target"), product(SCHEDULES, TARGETS))
def test_the_content_follows_from_whatever_the_network_tells(
    schedule: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a network that is right, the estimate is the content, and the loss is nothing."""
    denoiser = model("diffusion", signature(), schedule=schedule, target=target)
    assert isinstance(denoiser, Denoising)
    content, noise = torch.rand(6, *PICTURE.dims) * 2 - 1, torch.randn(6, *PICTURE.dims)
    time = torch.linspace(0.05, 0.9, 6)
    signal, sigma = (level.view(-1, 1, 1, 1) for level in denoiser.levels(time))
    right = {"v": signal * noise - sigma * content, "noise": noise, "content": content, "flow": noise - content}[target]
    monkeypatch.setattr(type(denoiser), "predict", lambda self, x, time, given: right)
    nothing = denoiser.read(6, {})
    assert torch.allclose(denoiser.clean(signal * content + sigma * noise, time, nothing), content, atol=1e-3)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_goes_from_content_to_noise(schedule: str) -> None:
    denoiser = model("diffusion", signature(), schedule=schedule)
    assert isinstance(denoiser, Denoising)
    signal, sigma = denoiser.levels(torch.linspace(0, 1, 101))
    assert (signal.diff() <= 0).all()
    assert (sigma.diff() >= 0).all()
    assert signal[0] == pytest.approx(1, abs=0.02)
    assert sigma[-1] == pytest.approx(1, abs=0.02)
    assert signal[-1] < 0.05 > sigma[0]
    if schedule != "straight":
        assert torch.allclose(signal.square() + sigma.square(), torch.ones(101), atol=1e-5)


@pytest.mark.parametrize("target", TARGETS)
def test_weighing_bounds_what_nearly_clean_pictures_count(target: str) -> None:
    """Of any target, the same error of the content costs at most the bound times what it does without noise ratio."""
    denoiser = model("diffusion", signature(), target=target, min_snr=5.0)
    assert isinstance(denoiser, Denoising)
    time = torch.linspace(0.02, 0.98, 40)
    signal, sigma = denoiser.levels(time)
    weight = denoiser._weight(signal, sigma)
    # How much an error of 1 in the content moves the target, squared.
    moved = {"v": 1 / sigma.square(), "noise": (signal / sigma).square(), "content": torch.ones(40)}
    moved |= {"flow": ((signal + sigma) / sigma).square()}
    assert torch.allclose(weight * moved[target], (signal / sigma).square().clamp_max(5.0), rtol=1e-3)


def test_times_in_the_middle_are_trained_on_more_often_and_all_are_seen() -> None:
    for times, share in (("even", 0.5), ("middle", 0.73)):
        denoiser = model("diffusion", signature(), times=times)
        assert isinstance(denoiser, Denoising)
        found = torch.cat([denoiser._times(64, torch.device("cpu")) for _ in range(50)])
        assert ((found > 0.25) & (found < 0.75)).float().mean() == pytest.approx(share, abs=0.02)
        assert found.min() < 0.05 < 0.95 < found.max()


def test_patches_are_cut_and_joined_without_loss() -> None:
    made_of = model("dit", signature())
    assert isinstance(made_of, Dit)
    x = torch.randn(2, *PICTURE.dims)
    assert torch.equal(made_of._joined(made_of._cut(x)), x)
    assert made_of.config.patch == 4
    assert "cannot be cut" in str(Dit.accepts(signature(Signal(channels=1, axes=(37, 41), over=("y", "x")))))


def test_a_transformer_tells_places_apart() -> None:
    """Without positions a picture and one with its patches moved would be told the same, moved."""
    made_of = model("dit", signature()).eval()
    with torch.no_grad():
        for parameter in made_of.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        x, time, nothing = torch.randn(1, *PICTURE.dims), torch.full((1,), 0.5), made_of.read(1, {})
        assert isinstance(made_of, Dit)
        plain, moved = (made_of.predict(one, time, nothing) for one in (x, x.roll((4, 6), (2, 3))))
    assert not torch.allclose(plain.roll((4, 6), (2, 3)), moved, atol=1e-4)


def batch(n: int, **given: Given) -> Batch:
    return Batch(torch.rand(n, *PICTURE.dims) * 2 - 1, given)


@pytest.mark.parametrize("name", ["dcgan", "resgan"])
def test_sides_that_cannot_be_halved_are_refused(name: str) -> None:
    family = architectures.get(name)
    assert "cannot be halved evenly" in str(family.accepts(signature(Signal(channels=1, axes=(15, 16), over=("y", "x")))))
    assert family.accepts(signature(Signal(channels=1, axes=(28, 28), over=("y", "x")))) is None
    assert "latents" in str(family.accepts(signature(PICTURE.model_copy(update={"bounded": False}))))


def test_a_sketch_is_drawn_by_and_judged_with() -> None:
    game = model("resgan", signature(sketch=SKETCH, label=Label(classes=3)))
    assert isinstance(game, Adversarial)
    with torch.no_grad():
        for parameter in game.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        noise, one = torch.randn(1, game.config.latent), Given.all(torch.ones(1, *SKETCH.dims))
        line = torch.ones(1, *SKETCH.dims)
        line[..., 8:, :] = -1
        drawn = [game.emit(noise, game.read(1, {"sketch": given})) for given in (one, Given.all(line))]
        assert (drawn[0] - drawn[1])[..., 8:, :].abs().mean() > (drawn[0] - drawn[1])[..., :4, :].abs().mean() > 0
        judged = [game.critic(drawn[0], game.critic.conditioner(1, {"sketch": given})) for given in (one, Given.all(line))]
    assert judged[0] != judged[1]


def test_the_original_loss_and_the_relativistic_one_have_gradients_for_either_player() -> None:
    for name, loss, penalty in product(("gan", "dcgan", "resgan"), ("original", "relativistic"), (0.0, 1.0)):
        game = model(name, signature(Signal(channels=3, axes=(16, 24), over=("y", "x"))), loss=loss, penalty=penalty)
        for player in game.players:
            game.zero_grad()
            game.loss(batch(8), player).backward()  # type: ignore[no-untyped-call]
            slopes = [p.grad for p in game.player(player).parameters() if p.grad is not None]
            assert slopes
            assert all(bool(torch.isfinite(slope).all()) for slope in slopes), (name, loss, player)
            assert any(bool(slope.any()) for slope in slopes), (name, loss, player)


def test_a_critic_sees_pictures_through_changes_which_are_others_every_time() -> None:
    game = model("resgan", signature(), augment=1.0)
    assert isinstance(game, Adversarial)
    x = torch.rand(4, *PICTURE.dims)
    first, second = game._seen(x), game._seen(x)
    assert not torch.equal(first, x)
    assert not torch.equal(first, second)
    plain = model("resgan", signature(), augment=0.0)
    assert isinstance(plain, Adversarial)
    assert plain._seen(x) is x


@pytest.mark.parametrize("name", ["dcgan", "resgan"])
def test_a_kind_that_is_given_does_not_drown_the_noise(name: str) -> None:
    """Most of what differs between pictures differs between those of a kind: else a generator begins by drawing one of each."""
    game = model(name, signature(label=Label(classes=3)))
    assert isinstance(game, Adversarial)
    kinds = torch.arange(96) % 3
    with torch.no_grad():
        drawn = game.emit(torch.randn(96, game.config.latent), game.read(96, {"label": Given.all(kinds)}))
    within = torch.stack([drawn[kinds == kind].var(dim=0).mean() for kind in range(3)]).mean()
    assert within > 0.9 * drawn.var(dim=0).mean()


@pytest.mark.parametrize("side", [64, 128])
def test_a_generator_learns_from_its_critic_at_any_size(side: int) -> None:
    """Here that real pictures are brighter."""
    its = Signal(channels=3, axes=(side, side), over=("y", "x"))
    game = model("resgan", signature(its, label=Label(classes=3)), width=8)
    assert isinstance(game, Adversarial)
    players = {player: torch.optim.Adam(game.player(player).parameters(), lr=5e-3, betas=(0.0, 0.9)) for player in game.players}
    label = {"label": Given.all(torch.arange(6) % 3)}
    noise = torch.randn(6, game.config.latent)
    before = game.emit(noise, game.read(6, label)).detach()
    for _, (player, optimizer) in product(range(8), players.items()):
        game.zero_grad()
        game.loss(Batch(0.9 + 0.1 * torch.rand(6, *its.dims), label), player).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    after = game.emit(noise, game.read(6, label)).detach()
    assert after.shape == (6, 3, side, side)
    assert (after.mean(dim=(1, 2, 3)) > before.mean(dim=(1, 2, 3)) + 0.1).all()


def test_an_update_that_fails_leaves_running_statistics_as_they_were(tmp_path: Any) -> None:
    data = made.pictures(tmp_path / "data")
    learner = Learner(made.plan(data, "dcgan"), data.signature, torch.device("cpu"))
    learner.update(data.train.batch(16, 0, 0), 0, 1e-3)
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    assert any("running_mean" in name for name in before)
    bad = data.train.batch(16, 0, 1)
    broken: Tensor = torch.full_like(bad.made, float("nan"))
    learner.update(Batch(broken, bad.given), 1, 1e-3)
    assert all(torch.equal(value, before[name]) for name, value in learner.model.state_dict().items())


def blobs(n: int = 48) -> Tensor:
    """(n, 3, 16, 24) discs with hard edges, each elsewhere."""
    generator = torch.Generator().manual_seed(0)
    middle = torch.rand(n, 2, 1, 1, generator=generator) * torch.tensor([8.0, 16.0]).view(1, 2, 1, 1) + 4
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(24.0), indexing="ij")
    away = (rows - middle[:, 0]).square() + (columns - middle[:, 1]).square()
    return torch.where(away < 9, 1.0, -1.0)[:, None].expand(-1, 3, -1, -1).contiguous()


def learned(steps: int = 80, **config: Any) -> Architecture:
    made_by = model("vae", signature(), **config)
    optimizer = torch.optim.AdamW(made_by.parameters(), lr=3e-3)
    for step in range(steps):
        torch.manual_seed(step)
        optimizer.zero_grad()
        made_by.loss(Batch(blobs()), "model").backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return made_by.eval()


def told_by(vae: Architecture) -> Tensor:
    """Nats that each latent dimension tells of the pictures."""
    assert isinstance(vae, Vae)
    with torch.no_grad():
        mean, log_variance = vae._posterior(blobs(), vae.read(48, {}))
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(dim=0)


def test_what_may_be_told_for_nothing_is_told() -> None:
    """With free bits more latent dimensions say something, though the divergence weighs much."""
    plain, free = (told_by(learned(latent=12, kl=20.0, free=bits)) for bits in (0.0, 0.5))
    assert (free > 0.3).sum() > (plain > 0.3).sum()


def test_noise_that_the_decoder_tells_is_larger_where_it_errs() -> None:
    vae = learned(noise="learned", latent=4)
    assert isinstance(vae, Vae)
    with torch.no_grad():
        given = vae.read(48, {})
        made_of, log_variance = vae._decode(vae._posterior(blobs(), given)[0], given).chunk(2, dim=1)
        sample = vae.emit(torch.randn(2, 4), vae.read(2, {}))
    assert sample.shape == (2, *PICTURE.dims)
    errors, spread = (made_of - blobs()).square().flatten(), log_variance.flatten()
    rough = spread > spread.median()
    assert errors[rough].mean() > 2 * errors[~rough].mean()


def test_details_that_are_weighed_are_less_off() -> None:
    found = []
    for detail in (0.0, 1.0):
        codec = learned(spatial=2, latent=2, kl=0.001, detail=detail)
        assert isinstance(codec, Vae)
        with torch.no_grad():
            found.append(float(_off(codec.decode("content", codec.encode("content", blobs())), blobs())))
    assert found[1] < found[0]
    assert _off(blobs(), blobs()) == 0 < _off(blobs().roll(1, 3), blobs())
