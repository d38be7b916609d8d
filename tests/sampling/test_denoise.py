"""Denoising: beginning from a picture, keeping parts of it, guidance, previews."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.models.architectures.base import Architecture, DenoiseOptions, build_model
from genwright.models.architectures.diffusion import Diffusion
from genwright.sampling.denoise import ENDS, way
from genwright.sampling.sampler import Ask, drawn, sampler
from tests.sampling.subjects import PICTURE, model, signature, value

START = value(PICTURE, torch.Generator().manual_seed(5))
KEEP = (torch.arange(25).view(5, 5) % 3 == 0).float()


def row(made: Architecture, key: int = 1, **asked: Any) -> Tensor:
    fields = {name: asked.pop(name) for name in ("given", "start", "keep") if name in asked}
    return drawn(made, [Ask((key,), DenoiseOptions(**asked), **fields)], 1)[0]


def test_the_last_step_gives_the_estimate_of_the_content() -> None:
    """Against the sum written out by hand: DDIM from time 1 to 0, in two steps."""
    made = model("diffusion")
    assert isinstance(made, Diffusion)
    nothing = made.read(1, {})
    with torch.no_grad():
        x = Draws([(1,)]).normal(*PICTURE.dims)
        times = torch.tensor([0.999, 0.5])
        signal, sigma = made.levels(times)
        clean = made.clean(x, times[:1], nothing).clamp(-1, 1)
        x = signal[1] * clean + sigma[1] * (x - signal[0] * clean) / sigma[0]
        clean = made.clean(x, times[1:], nothing).clamp(-1, 1)
    assert torch.allclose(row(made, steps=2), clean[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["ddim", "ddpm", "dpm", "heun"])
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_what_is_kept_is_the_start_to_the_bit_and_the_rest_is_new(kind: str, strength: float) -> None:
    made = model("diffusion-label")
    found = row(made, start=START, keep=KEEP, strength=strength, sampler=kind, steps=5)
    kept = KEEP.bool()[None]
    assert torch.equal(found[kept], START[kept])
    assert not (found[~kept] == START[~kept]).any()
    with_channel = row(made, start=START, keep=KEEP[None], strength=strength, sampler=kind, steps=5)
    assert torch.equal(with_channel, found)


def test_what_is_kept_decides_about_the_rest() -> None:
    made = model("diffusion")
    one, other = (row(made, start=start, keep=KEEP, strength=1.0, steps=8) for start in (START, -START))
    assert (one - other)[0, KEEP == 0].abs().max() > 1e-3


def test_a_small_strength_stays_near_the_start() -> None:
    made = model("diffusion")
    far = [float((row(made, start=START, strength=s, steps=6) - START).abs().mean()) for s in (0.02, 0.3, 0.9)]
    assert far[0] < 0.05
    assert far[0] < far[1] < far[2]


def test_at_full_strength_nothing_of_the_start_is_left() -> None:
    made = model("diffusion")
    assert torch.equal(row(made, start=START, strength=1.0, steps=3), row(made, steps=3))


def test_guidance_leads_away_from_what_is_made_of_nothing() -> None:
    made, given = model("diffusion-label"), {"label": torch.tensor(3)}
    free, plain = row(made, steps=1), row(made, given=given, steps=1)
    assert torch.equal(row(made, guidance=7.0, steps=1), free)  # nothing is given to be guided by
    expected = (free + 1.5 * (plain - free)).clamp(-1, 1)
    inside = (free.abs() < 1) & (plain.abs() < 1)
    assert inside.any()
    assert torch.allclose(row(made, given=given, guidance=1.5, steps=1)[inside], expected[inside], atol=1e-5)


def test_guidance_may_be_for_some_of_the_way() -> None:
    made, given = model("diffusion-label"), {"label": torch.tensor(3)}
    rows = {span: row(made, given=given, guidance=5.0, guided=span, steps=6) for span in ((0.0, 1.0), (0.4, 0.7), (0.0, 0.01))}
    plain = row(made, given=given, steps=6)
    assert torch.equal(rows[0.0, 0.01], plain)  # no step begins there
    assert not torch.equal(rows[0.4, 0.7], plain)
    assert not torch.equal(rows[0.4, 0.7], rows[0.0, 1.0])
    with pytest.raises(ValueError, match="the smaller one first"):
        DenoiseOptions(guided=(0.7, 0.4))


def test_what_is_bounded_stays_in_bounds_and_what_is_not_does_not() -> None:
    made, latent = model("diffusion-label"), model("diffusion-latent-caption")
    given = {"label": torch.tensor(3)}
    assert torch.stack([row(made, key, given=given, guidance=20.0) for key in range(4)]).abs().max() == 1
    assert torch.stack([row(latent, key, steps=4) for key in range(20)]).abs().max() > 1


def test_ancestral_noise_is_the_rows_own_and_makes_another_sample() -> None:
    made = model("diffusion")
    assert not torch.equal(row(made, sampler="ddpm", steps=4), row(made, steps=4))
    assert torch.equal(row(made, sampler="ddpm", steps=1), row(made, steps=1))


def test_a_preview_is_shown_only_where_asked() -> None:
    made = model("diffusion")
    one = Ask((1,), DenoiseOptions(steps=4), start=START, keep=KEEP)
    quiet, shown = sampler(made, 2), sampler(made, 2, previews=True)
    for at in (quiet, shown):
        at.admit([one])
    assert [tick.piece for _ in range(4) for tick in quiet.step()] == [None] * 4
    pieces = [tick.piece for _ in range(4) for tick in shown.step()]
    rows = [piece for piece in pieces if piece is not None]
    assert len(rows) == 4
    assert all(torch.equal(piece[0][KEEP == 1], START[0][KEEP == 1]) for piece in rows)
    assert torch.equal(rows[-1], quiet.take(0))
    assert torch.equal(rows[-1], shown.take(0))
    assert not torch.equal(rows[0], rows[-1])


def test_what_cannot_be_begun_from_or_kept_is_refused() -> None:
    made = model("diffusion")
    with pytest.raises(ModelError, match="another size"):
        row(made, start=torch.zeros(1, 4, 4))
    with pytest.raises(ModelError, match="nothing to keep"):
        row(made, keep=KEEP)
    with pytest.raises(ModelError, match="every place"):
        row(made, start=START, keep=torch.ones(5))


@pytest.mark.parametrize("schedule", ["cosine", "linear", "sigmoid", "straight"])
@pytest.mark.parametrize(("steps", "strength"), [(1, 1.0), (20, 1.0), (20, 0.4), (1000, 1.0), (5, 0.0005)])
def test_the_way_falls_to_nothing_and_is_finest_where_there_is_little_noise(schedule: str, steps: int, strength: float) -> None:
    wanted = signature(PICTURE)
    config = Diffusion.sized(wanted, 0.125).model_dump(mode="json") | {"schedule": schedule}
    made = build_model("diffusion", config, wanted)
    assert isinstance(made, Diffusion)
    times = way(made, steps, strength)
    assert len(times) == steps + 1
    assert bool((times.diff() < 0).all())
    assert float(times[0]) == pytest.approx(min(max(strength, 2 * ENDS), 1 - ENDS))
    assert float(times[-1]) == pytest.approx(ENDS)
    if steps == 20:
        assert float(times[-2]) < strength / steps
