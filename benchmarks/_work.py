"""Small data sets and plans that benchmarks share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.training.fit import Fit
from tests import made

CASES = {"gan": "pictures", "vae": "pictures", "diffusion": "pictures", "gpt": "text", "seq2seq": "pairs"}
"""Every family and the data it is timed on."""


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder that is thrown away."""
    with TemporaryDirectory(prefix="genwright-bench-") as folder:
        yield Path(folder)


def dataset(folder: Path, kind: str) -> Dataset:
    """Labelled pictures of 16x16, texts in windows of 64 tokens, or pairs of texts; the first time it is made."""
    there = folder / kind
    if there.is_dir():
        return Dataset(there)
    text = Part(kind="text", options={"vocab": 512, "length": 64})
    if kind == "pictures":
        return made.dataset(there, Part(kind="image", options={"size": [16, 16], "channels": 1}), condition=Part(kind="label"))
    return made.dataset(there, text) if kind == "text" else made.dataset(there, text, condition=text)


def training(folder: Path, family: str, name: str = "fit", *, dial: float = 0.5, steps: int = 100, batch_size: int = 32) -> Fit:
    """A training that has not begun, measured at its end alone."""
    data = dataset(folder, CASES[family])
    plan = made.plan(data, family, steps=steps, dial=dial, batch_size=batch_size, evaluate_every=steps + 1)
    return Fit(data, plan, folder / f"{family}-{name}", Settings(workspace=folder))


def timed(work: Callable[..., object], *given: object) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    work(*given)
    return time.perf_counter() - began
