"""Updates that are left out on the device, and the rates that make one training the beginning of another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import Muon

from genwright.training import optimizer
from tests import made


def muon() -> tuple[nn.Linear, Muon]:
    torch.manual_seed(0)
    layer = nn.Linear(8, 4, bias=False)
    member = Muon(layer.parameters(), lr=0.1)
    member.state[layer.weight][optimizer.MOMENTUM] = torch.zeros_like(layer.weight)
    layer.weight.grad = torch.randn(4, 8)
    return layer, member


def test_muon_steps_back_from_what_failed_and_keeps_what_did_not() -> None:
    plain, stepping = muon()
    stepping.step()
    kept, keeping = muon()
    optimizer.step_back(keeping, torch.tensor(False))
    assert torch.equal(kept.weight, plain.weight)
    before, poisoned = kept.weight.clone(), keeping.state[kept.weight][optimizer.MOMENTUM].clone()
    kept.weight.grad = torch.full((4, 8), torch.nan)
    optimizer.step_back(keeping, torch.tensor(True))
    assert torch.equal(kept.weight, before)
    assert torch.equal(keeping.state[kept.weight][optimizer.MOMENTUM], poisoned)


@pytest.mark.parametrize("steps", [200, 400, 1000])
def test_what_comes_before_the_decay_is_the_beginning_of_every_longer_plan(steps: int, tmp_path: Path) -> None:
    race = made.plan(made.pictures(tmp_path / "data"), "vae", steps=100, warmup=10, decay=0.0)
    longer = race.model_copy(update={"steps": steps, "decay": 0.5})
    assert [optimizer.rate(race, s) for s in range(100)] == [optimizer.rate(longer, s) for s in range(100)]
    assert optimizer.rate(longer, steps - 1) == pytest.approx(2 / steps)
