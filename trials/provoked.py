"""Trainings that go wrong in known ways, on real data: is what is wrong found, and named? `make provoked`.

Handwritten digits of scikit-learn, 8x8. Each case is a round as a recipe would train it but for what is done to it; the
evaluation, the diagnosis and the gates are those of every run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from genwright.core.workspace import Settings, Workspace
from genwright.data.dataset import Dataset
from genwright.evaluation.bounds import absolute
from genwright.evaluation.evaluate import evaluate
from genwright.evaluation.metrics.base import metrics, ranked, split
from genwright.evaluation.records import Evaluation
from genwright.models import cost
from genwright.models.architectures.base import architectures
from genwright.models.records import Candidate, Plan
from genwright.recipes.recipe import Recipe, parse
from genwright.training.diagnose import diagnose
from genwright.training.fit import Fit
from genwright.training.records import Diagnosis
from trials.frauds import cleaned


@dataclass(frozen=True)
class Case:
    """What goes wrong: of how many items, what is done to the cleaned data, how it is trained, and what its items are given: a
    label, a caption, or nothing; `mixed`, that of another item."""

    what: str
    family: str
    steps: int
    items: int
    config: dict[str, Any]
    plan: dict[str, Any]
    spoil: Callable[[Path], None] | None = None
    given: str | None = None
    mixed: bool = False


@dataclass(frozen=True)
class Found:
    """What was found. `alarms` are the words of every measure that is alarmed, `refused_by` the bounds that are missed."""

    diagnosis: Diagnosis
    alarms: list[str]
    refused_by: list[str]
    evaluation: Evaluation


def leaked(folder: Path) -> None:
    """What is held out while training are training items, so that nothing tells when to stop."""
    held, seen = folder / "validation.content.npy", np.load(folder / "train.content.npy")
    np.save(held, seen[: len(np.load(held))])


NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GIVEN: dict[str, Any] = {"label": "label", "caption": {"kind": "text", "vocab": 280, "length": 24}}
FEW, ALL = 100, 1797  # of which half is learned from
CASES = {
    "memorised": Case(
        "50 items, again and again, some of them also held out while training",
        "diffusion",
        1000,
        FEW,
        {"dropout": 0.0},
        {"weight_decay": 0.0},
        leaked,
    ),
    "overfitted": Case(
        "50 items, a model that is far too large for them", "vae", 600, FEW, {"width": 128}, {"weight_decay": 0.0}
    ),
    "collapsed": Case(
        "a generator with a latent of one number and no penalty", "gan", 500, ALL, {"latent": 1, "penalty": 0.0}, {}
    ),
    "shuffled labels": Case("each has the label of another", "diffusion", 300, ALL, {}, {}, given="label", mixed=True),
    "sound labels": Case("nothing is done to them", "diffusion", 300, ALL, {}, {}, given="label"),
    "shuffled captions": Case("each has the caption of another", "diffusion", 300, ALL, {}, {}, given="caption", mixed=True),
    "sound captions": Case("nothing is done to them", "diffusion", 300, ALL, {}, {}, given="caption"),
}


def digits(folder: Path, case: Case) -> None:
    """The first digits as files, in folders by kind, with a caption beside each."""
    found = load_digits()
    kinds = found.target[: case.items]
    if case.mixed:
        kinds = np.random.default_rng(0).permutation(kinds)
    for place, (picture, kind) in enumerate(zip(found.images, kinds, strict=False)):
        path = folder / str(kind) / f"{place:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 15.9).astype(np.uint8)).save(path)
        path.with_suffix(".txt").write_text(f"the digit {NAMES[kind]}")


def recipe(case: Case) -> Recipe:
    told: dict[str, Any] = {
        "name": "provoked",
        "content": {"kind": "image", "size": [8, 8], "channels": 1},
        "sources": [{"kind": "folder", "path": "digits", "labels": "subfolder"}],
        "cleaning": ["corrupt", "exact_duplicates"],
        "split": {"validation": 0.2, "test": 0.3},
        "samples": 300,
        "sampling": {"diffusion": {"steps": 20}},
        "accept": {"mmd": {"skill": 0.5}, "copies": {"at_most": 0.05}},
    }
    if case.given is not None:
        told |= {"condition": GIVEN[case.given], "accept": {**told["accept"], "heeds": {"at_least": 0.6}}}
    if case.given == "caption":
        told["sources"][0] = {"kind": "folder", "path": "digits", "captions": ".txt"}
    return parse(told)


def provoked(case: Case, folder: Path, threads: int = 1) -> Found:
    """Train it, measure it, and say what is wrong."""
    wanted, settings = recipe(case), Settings(workspace=folder, threads=threads, device="cpu")
    digits(folder / "digits", case)
    data = cleaned(wanted, Workspace(folder))
    if case.spoil is not None:
        case.spoil(data.folder)
        data = Dataset(data.folder, wanted.outcome.view)
    fit = Fit(data, _plan(case, data, wanted), folder / "fit", settings, data="provoked")
    for _ in fit:
        pass
    evaluation = evaluate(folder / "fit" / "bundle", data, wanted.evaluation, settings)
    alarms = (metrics.get(split(key)[0]).alarm(one) for key, one in evaluation.measures.items())
    refused = [verdict.name for verdict in absolute(evaluation, wanted.accept) if not verdict.passed]
    told = diagnose(fit.result, evaluation, wanted.outcome, data)
    return Found(told, [words for words in alarms if words is not None], refused, evaluation)


def _plan(case: Case, data: Dataset, wanted: Recipe) -> Plan:
    kind = architectures.get(case.family)
    config = kind.sized(data.signature, 0.25).model_dump(mode="json") | case.config
    size = min(64, len(data.train))
    price = cost.estimate(case.family, config, data.signature, size)
    return Plan.model_validate(
        {
            **kind.defaults,
            "candidate": Candidate(family=case.family, dial=0.25, config=config, cost=price, batch_size=size),
            "steps": case.steps,
            "batch_size": size,
            "warmup": 50,
            "evaluate_every": max(1, case.steps // 4),
            "measure": ranked(data.signature).name,
            "sampling": wanted.sampling.get(case.family, {}),
            "precision": "float32",
            **case.plan,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m trials.provoked", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(map(repr, CASES)))
    for name in parser.parse_args().cases or CASES:
        with tempfile.TemporaryDirectory() as folder:
            found = provoked(CASES[name], Path(folder))
        print(f"\n{name}: {CASES[name].what}\n  finding   {found.diagnosis.finding}: {found.diagnosis.evidence}")
        print(f"  change    {found.diagnosis.change or 'none'}")
        print(f"  alarms    {'; '.join(found.alarms) or 'none'}")
        print(f"  refused   by {', '.join(found.refused_by) or 'nothing'}")
        print("  " + ", ".join(f"{key} {one.words}" for key, one in found.evaluation.measures.items()), flush=True)


if __name__ == "__main__":
    main()
