"""A given of a new kind is one class more among the ways in, and every family takes it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from genwright.core.batch import Batch, Given
from genwright.core.errors import ModelError
from genwright.core.shapes import Port, Shape, Signal, Signature, Tokens
from genwright.models.architectures.base import Architecture, architectures, build_model
from genwright.models.layers import conditioning
from genwright.models.layers.conditioning import Conditioned, Places, SequenceWay
from genwright.sampling.sampler import Ask, drawn

POINTS = Signal(channels=3, axes=(12,), over=("point",))
PICTURE = Signal(channels=1, axes=(8, 8), over=("y", "x"))
TEXT = Tokens(vocab=20, length=12)
FAMILIES: dict[str, Signal | Tokens] = {"gan": PICTURE, "vae": PICTURE, "diffusion": PICTURE, "gpt": TEXT}
ROWS = 8


class PointsWay(SequenceWay):
    """Each point of a set by itself, in no order (after PointNet: Qi et al. 2017)."""

    def __init__(self, shape: Signal, places: Places) -> None:
        super().__init__(shape, places)
        self.enter = nn.Sequential(nn.Linear(shape.channels, places.width), nn.SiLU(), nn.Linear(places.width, places.width))

    @classmethod
    def takes(cls, shape: Shape, places: Places) -> bool:
        return isinstance(shape, Signal) and shape.over == ("point",)

    def forward(self, given: Given) -> Conditioned:
        points = self.enter(given.value.transpose(1, 2))
        return self.read(points, torch.zeros(points.shape[:2], dtype=torch.bool, device=points.device), given.present)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditioning, "ways", [*conditioning.ways, PointsWay])


def signature(makes: Shape) -> Signature:
    return Signature(makes=makes, given={"cloud": Port(shape=POINTS, optional=True)})


def model_of(family: str) -> Architecture:
    told = signature(FAMILIES[family])
    assert architectures.get(family).accepts(told) is None
    torch.manual_seed(0)
    model = build_model(family, architectures.get(family).sized(told, 0.125).model_dump(mode="json"), told)
    with torch.no_grad():
        for parameter in model.parameters():  # so that no way begins closed
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


def clouds() -> Tensor:
    return torch.rand(ROWS, *POINTS.dims) * 2 - 1


def batch_of(family: str) -> Batch:
    """Rows of which the last has no points."""
    made = FAMILIES[family]
    content = torch.rand(ROWS, *made.dims) * 2 - 1 if isinstance(made, Signal) else torch.randint(3, 20, (ROWS, 12))
    present = torch.arange(ROWS) < ROWS - 1
    return Batch(content, {"cloud": Given(clouds() * present.view(-1, 1, 1), present)})


def test_what_has_no_way_in_is_refused_by_name() -> None:
    told = signature(PICTURE)
    with pytest.raises(ModelError, match="cloud"):
        build_model("vae", architectures.get("vae").sized(told, 0.125).model_dump(mode="json"), told)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_with_it(family: str) -> None:
    """A step of each player changes the way in itself, so what is given is learned from."""
    model, batch = model_of(family), batch_of(family)
    before = {name: p.detach().clone() for name, p in model.named_parameters() if ".ways.cloud." in name}
    assert before
    for player in model.players:
        optimizer = torch.optim.AdamW(model.player(player).parameters(), lr=1e-2)
        optimizer.zero_grad()
        loss = model.loss(batch, player)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        assert torch.isfinite(loss)
    after = dict(model.named_parameters())
    assert all(torch.isfinite(after[name]).all() for name in before)
    assert all(not torch.equal(after[name], old) for name, old in before.items() if "enter.0" in name)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_samples_with_it(family: str) -> None:
    """The points bear on the sample, their order does not, and a sample may be drawn without any."""
    model = model_of(family).eval()
    cloud, other = clouds()[:2]
    settings = {"steps": 4} if family == "diffusion" else {}
    options = model.Options.model_validate(settings)
    asked = [{"cloud": cloud}, {"cloud": cloud.flip(1)}, {"cloud": other}, {}]
    rows = [drawn(model, [Ask((7,), options, given)], 1)[0] for given in asked]
    makes = FAMILIES[family]
    assert all(row.shape == (makes.dims if isinstance(makes, Signal) else (makes.length,)) for row in rows)
    assert torch.allclose(rows[0].float(), rows[1].float(), atol=1e-4)
    read = [model.read(1, {name: Given.all(one[None]) for name, one in given.items()}).vector for given in asked]
    assert torch.allclose(read[0], read[1], atol=1e-5)
    assert not torch.allclose(read[0], read[2], atol=1e-5)
    if isinstance(makes, Signal):
        assert not torch.equal(rows[0], rows[2])
        assert not torch.equal(rows[0], rows[3])
