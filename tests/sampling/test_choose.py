"""Choosing tokens: the distribution is the one asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from genwright.sampling import choose as module
from genwright.sampling.choose import choose


def chosen(logits: Tensor, uniform: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    n = len(logits)
    ways = torch.full((n,), temperature), torch.full((n,), top_k), torch.full((n,), top_p)
    return choose(logits, uniform, *ways)


def shares(row: Tensor, **way: float) -> Tensor:
    """How often each token is chosen, over numbers spread evenly in [0, 1)."""
    n = 20_000
    found = chosen(row.expand(n, -1), (torch.arange(n) + 0.5) / n, **way)  # type: ignore[arg-type]
    return found.bincount(minlength=len(row)) / n


def test_each_token_is_as_frequent_as_it_is_likely() -> None:
    row = torch.tensor([0.4, 0.0, 0.1, 0.3, 0.2]).log()
    assert torch.allclose(shares(row), row.exp(), atol=1e-4)
    cold = (row / 0.5).softmax(dim=0)
    assert torch.allclose(shares(row, temperature=0.5), cold, atol=1e-4)
    assert torch.allclose(shares(row, top_k=2), torch.tensor([4 / 7, 0, 0, 3 / 7, 0]), atol=1e-4)
    assert torch.allclose(shares(row, top_p=0.75), torch.tensor([4 / 9, 0, 0, 3 / 9, 2 / 9]), atol=1e-4)
    assert torch.allclose(shares(row, top_p=0.65), torch.tensor([4 / 7, 0, 0, 3 / 7, 0]), atol=1e-4)


def test_what_has_no_chance_is_never_chosen() -> None:
    """Not by the smallest number, nor by the largest."""
    row = torch.full((600,), -torch.inf)
    row[torch.arange(7, 590, 3)] = torch.randn(195, generator=torch.Generator().manual_seed(0))
    ends = torch.tensor([0.0, 1 - 2**-24, 0.5])
    for found in chosen(row.expand(3, -1), ends):
        assert row[found] > -torch.inf


def test_neighbours_with_other_ways_change_nothing() -> None:
    """Over more tokens than the nucleus is first looked for among, where the rows need other amounts of them."""
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 4 * module.FEW, generator=random) * torch.tensor([0.1, 5.0, 0.1, 5.0, 1.0, 1.0])[:, None]
    uniform = torch.rand(6, generator=random)
    temperature = torch.tensor([1.0, 1.0, 0.0, 0.7, 1.0, 2.0])
    top_k, top_p = torch.tensor([0, 0, 0, 3, 900, 0]), torch.tensor([0.95, 0.9, 1.0, 0.8, 1.0, 1.0])
    together = choose(logits, uniform, temperature, top_k, top_p)
    for row in range(6):
        one = slice(row, row + 1)
        assert choose(logits[one], uniform[one], temperature[one], top_k[one], top_p[one]) == together[row]


def test_the_nucleus_of_a_flat_distribution_is_found_among_all_tokens() -> None:
    row = torch.linspace(0, 0.1, 4 * module.FEW)
    found = shares(row, top_p=0.5)
    ordered = row.softmax(dim=0).flip(0)
    count = int((ordered.cumsum(dim=0) - ordered < 0.5).sum())
    assert (found > 0).sum() == count
    assert (found[-count:] > 0).all()
