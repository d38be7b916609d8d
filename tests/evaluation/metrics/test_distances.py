"""KID and FID are what everybody means by them, and the extractor tells apart what it should."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genwright.core.errors import ModelError
from genwright.core.record import Part
from genwright.data.dataset import Dataset
from genwright.evaluation import extractor, pretrained
from genwright.evaluation.discrepancy import discrepancy
from genwright.evaluation.metrics.fid import distance
from genwright.evaluation.metrics.kid import kernel
from tests import made
from tests.workspaces import scratch


class Plain(nn.Module):
    """Features are what is looked at."""

    num_features = 24

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.fixture
def features() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    mix = torch.randn(24, 24, generator=random)
    return torch.randn(300, 24, generator=random) @ mix + 0.3, torch.randn(260, 24, generator=random) @ mix


def test_fid_agrees_with_torchmetrics(features: tuple[Tensor, Tensor]) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    theirs = FrechetInceptionDistance(feature=Plain(), normalize=True, input_img_size=(24,))
    for x, real in zip(features, (False, True), strict=True):
        theirs.update(x, real=real)
    assert distance(*features) == pytest.approx(float(theirs.compute()), rel=1e-3)


def test_kid_agrees_with_torchmetrics(features: tuple[Tensor, Tensor]) -> None:
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of memory
        theirs = KernelInceptionDistance(feature=Plain(), subsets=1, subset_size=260, normalize=True)
    x, y = features[0][:260], features[1]
    theirs.update(x, real=False)
    theirs.update(y, real=True)
    mine = discrepancy(x, y, kernel, 0, rounds=1)[0] / 1000
    assert mine == pytest.approx(float(theirs.compute()[0]), rel=1e-3)


@cache
def pictures() -> Dataset:
    return made.dataset(scratch() / "pictures", Part(kind="image", options={"size": [24, 24], "channels": 3}))


@cache
def learned() -> extractor.Extractor:
    return extractor.learn(pictures().train)


def contents(rows: int = 32) -> Tensor:
    return pictures().test.contents(np.arange(rows))


def test_what_is_learned_is_the_same_again_and_survives_being_kept() -> None:
    again, kept = extractor.learn(pictures().train), extractor.Extractor.of(learned().tensors)
    assert torch.equal(again(contents()), learned()(contents()))
    assert torch.equal(kept(contents()), learned()(contents()))


def test_a_picture_is_looked_at_by_itself_and_at_two_sizes() -> None:
    whole = learned()(contents())
    assert len(learned().scales) == 2
    assert torch.allclose(learned()(contents()[3:4]), whole[3:4], atol=1e-4)
    assert whole.square().mean() < 20


@pytest.mark.parametrize("side", [12, 40, 200])
def test_every_size_can_be_looked_at(side: int) -> None:
    data = made.dataset(
        scratch() / f"side-{side}",
        Part(kind="image", options={"size": [side, side + 3], "channels": 1}),
        {"train": 24, "validation": 8, "test": 8},
    )
    found = extractor.learn(data.train)(data.test.contents(np.arange(8)))
    assert found.shape == (8, 23)
    assert bool(found.isfinite().all())


def test_what_the_extractor_tells_apart() -> None:
    """Other kinds of picture are farther than other pictures of the kind; pictures without any contrast are no trouble."""
    real, other = learned()(contents()), learned()(pictures().validation.contents(np.arange(32)))
    near = discrepancy(other, real, kernel, 0, rounds=1)[0]
    random = torch.rand(32, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for fraud in (random, torch.zeros(32, 3, 24, 24)):
        far = discrepancy(learned()(fraud), real, kernel, 0, rounds=1)[0]
        assert far > near + 10


def test_the_network_of_imagenet_sees_what_other_pictures_lack() -> None:
    """Grey pictures and ones with transparency as well; where its weights are others, they are not read."""
    real, other, gone = (contents(), pictures().validation.contents(np.arange(32)), torch.zeros(32, 3, 24, 24))
    seen, near, far = (pretrained.features(x) for x in (real, other, gone))
    assert seen.shape == (32, 1280)
    assert discrepancy(far, seen, kernel, 0, rounds=1)[0] > 10 * abs(discrepancy(near, seen, kernel, 0, rounds=1)[0])
    grey, clear = real[:4, :1], torch.cat([real[:4], torch.full((4, 1, 24, 24), -1.0)], dim=1)
    assert pretrained.features(grey).shape == (4, 1280)
    assert torch.allclose(pretrained.features(clear), pretrained.features(torch.ones(4, 3, 24, 24)), atol=1e-3)


def test_weights_of_imagenet_that_are_others_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "WEIGHTS", "0" * 64)
    pretrained._network.cache_clear()
    with pytest.raises(ModelError, match="not those known"):
        pretrained.features(contents(2))
