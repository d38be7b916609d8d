"""Solvers on content that is normally distributed, for which the best estimate and the exact path are known."""

from __future__ import annotations

import math
import random

import pytest

from genwright.sampling.solvers import SOLVERS, Level, Step

SPREAD = 0.3  # standard deviation of the content


def cosine(time: float) -> Level:
    return Level(time, math.cos(time * math.pi / 2), math.sin(time * math.pi / 2))


def straight(time: float) -> Level:
    return Level(time, 1 - time, time)


def run(steps: list[Step], x: float, fresh: random.Random | None = None, error: float = 0.0) -> float:
    memory = 0.0
    for place, step in enumerate(steps):
        _, signal, sigma = step.at
        clean = signal * SPREAD**2 / (signal**2 * SPREAD**2 + sigma**2) * x + error * (-1) ** place
        noise = fresh.gauss(0, 1) if fresh is not None else 0.0
        made = step.estimate * clean + step.x * x + step.memory * memory + step.fresh * noise
        memory = step.keep_estimate * clean + step.keep_x * x
        x = made
    return x


def levels(schedule: object, count: int, first: float = 0.98, last: float = 0.02) -> list[Level]:
    return [schedule(first + (last - first) * place / count) for place in range(count + 1)]  # type: ignore[operator]


def error(solver: str, schedule: object, count: int) -> float:
    """How far from where the exact path leads, which scales with the spread of what is noised."""
    ends = levels(schedule, count)
    first, last = (math.hypot(level.signal * SPREAD, level.sigma) for level in (ends[0], ends[-1]))
    return abs(run(SOLVERS[solver](ends), first) - last)


@pytest.mark.parametrize("schedule", [cosine, straight])
@pytest.mark.parametrize(("solver", "order"), [("ddim", 1), ("dpm", 2), ("heun", 2)])
def test_twice_the_steps_bring_it_nearer_by_the_order_of_the_solver(solver: str, order: int, schedule: object) -> None:
    assert math.log2(error(solver, schedule, 80) / error(solver, schedule, 160)) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("schedule", [cosine, straight])
def test_with_as_many_questions_the_second_order_comes_nearer(schedule: object) -> None:
    assert error("dpm", schedule, 40) < 0.5 * error("ddim", schedule, 40)
    assert error("heun", schedule, 20) < error("ddim", schedule, 40)


@pytest.mark.parametrize("solver", ["ddim", "dpm", "heun"])
def test_a_network_that_errs_a_little_does_not_lead_astray(solver: str) -> None:
    """Also not in a long first step from pure noise, where the ratio of noise to content falls by more than ever after."""
    steps = SOLVERS[solver](levels(cosine, 10, first=0.999, last=0.001))
    steps = [*steps[:-1], Step(steps[-1].at, 1.0, 0.0)]  # as the sampler ends
    ends = [run(steps, 1.0, error=error) for error in (0.0, 0.05)]
    assert abs(ends[1] - ends[0]) < 0.1


@pytest.mark.parametrize("schedule", [cosine, straight])
def test_ancestral_steps_end_with_the_spread_of_the_content(schedule: object) -> None:
    numbers = random.Random(0)
    ends = levels(schedule, 100, last=0.001)
    steps = SOLVERS["ddpm"](ends)
    start = math.hypot(ends[0].signal * SPREAD, ends[0].sigma)
    made = [run(steps, start * numbers.gauss(0, 1), numbers) for _ in range(2000)]
    assert math.sqrt(sum(x * x for x in made) / len(made)) == pytest.approx(SPREAD, rel=0.06)


def test_heun_asks_twice_a_step_and_once_at_the_end() -> None:
    assert [len(SOLVERS[name](levels(cosine, 5))) for name in ("ddim", "ddpm", "dpm", "heun")] == [5, 5, 5, 9]
