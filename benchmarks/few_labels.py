"""What items without labels are worth: `make bench-few-labels`. One picture in a hundred of Fashion-MNIST keeps its label.

As the recipe `fashion-few-labels` has it, a classifier learns from these and, by consistency, from all others, labels what it
is sure of, and a model that draws learns from all pictures with these labels (`filled`). Beside it, as large and as long: one
that learns from the labelled pictures alone (`labelled only`), and one from all pictures without a label (`unconditional`).
Here it is a `dcgan`, which draws well after two minutes without a GPU, where diffusion takes ten.
What is compared: KID by our extractor, learned from all training pictures, also within each kind; how far samples are from the
labelled pictures, for KID does not mind copies; and how often a machine that was taught with all real labels finds the kind
that was asked for. Prints a line a model, and a table at the end.
"""

from __future__ import annotations

import argparse
import json
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from benchmarks.__main__ import machine
from benchmarks.peers import Ours, trained
from genwright.core.workspace import Settings, Workspace
from genwright.data.dataset import Dataset
from genwright.data.view import View, Wanted
from genwright.evaluation import extractor
from genwright.evaluation.classifier import Judge, labels
from genwright.evaluation.metrics.kid import distance
from genwright.evaluation.neighbours import nearest
from genwright.models import bundle
from genwright.models.derive import DeriveSpec, derive
from genwright.models.device import prepare
from genwright.models.records import Used
from genwright.recipes.recipe import Recipe, parse
from trials.frauds import prepared

RECIPE = Path("recipes/fashion-few-labels.yaml")
TEACHER, PAINTER = ("classifier", 0.25), ("dcgan", 1.0)  # family and dial
LONGER = 2  # times as long does the teacher learn


@dataclass
class Trial:
    """What all models of the comparison share."""

    recipe: Recipe
    workspace: Workspace
    settings: Settings
    seconds: float
    samples: int

    def __post_init__(self) -> None:
        self.clean = prepared(self.recipe, self.workspace)
        self.views = {member.key: member.view for member in self.recipe.members}
        plain = self.opened(View(makes="picture", given={}))
        self.looked, self.judge = extractor.learn(plain.train), Judge(plain)
        rows = plain.test.subset(len(plain.test))
        self.real, self.kinds = self.looked(plain.test.contents(rows)), labels(plain, plain.test, rows)
        self.classes = int(self.kinds.max()) + 1

    def opened(self, view: View) -> Dataset:
        return Dataset(self.clean, view, self.workspace.derived(self.recipe.name))

    def column(self, name: str, by: Used | None = None) -> None:
        """Make a fixed column, by a classifier where it is one's opinion."""
        view = self.views["painter"]
        spec = DeriveSpec(
            recipe=self.recipe.name,
            column=name,
            derived=view.derived[name],
            before={of: view.derived[of] for of in view.origins(name) if of in view.derived},
            by=by,
            bundle=None if by is None else by.model,
        )
        derive(spec, self.workspace, self.workspace.derived(self.recipe.name) / name, prepare(self.settings))

    def learned(self, family: str, dial: float, dataset: Dataset, seed: int, seconds: float) -> Ours:
        found = Ours(family, dataset, self.settings, seed, dial)
        for _ in trained(found, seconds, found.learner.device):
            pass
        return found

    def taught(self, seed: int) -> float:
        """A teacher, and the columns by it; returns the share of unseen pictures that it tells rightly."""
        self.column("few")
        teacher = self.learned(*TEACHER, self.opened(self.views["teacher"]), seed, LONGER * self.seconds)
        folder, model = f"teacher-{seed}", teacher.learner.average
        weights = bundle.save(self.workspace.root / folder, model, teacher.dataset, plan=teacher.plan, data="few-labels")
        self.column("guessed", Used(model=folder, version=1, weights=weights))
        self.column("kind")
        test = self.opened(View(makes=None, given={"picture": Wanted(), "label": Wanted()})).test
        items = test.items(np.arange(len(test)))
        with torch.no_grad():
            told = model.eval().encode("picture", items.given["picture"].value).argmax(dim=1)  # type: ignore[operator]
        return float((told == items.given["label"].value).float().mean())

    def measured(self, painter: Ours, column: str | None, known: Tensor) -> dict[str, float]:
        """KID of all samples, how far they are from the nearest of the labelled pictures, whose features `known` are, where
        unseen ones are 1 far, and, where they are asked for by kind, KID within each, and how many are of that kind."""
        asked = np.arange(self.samples) % self.classes
        given = (lambda place: {}) if column is None else (lambda place: {column: torch.tensor(asked[place])})
        samples = painter.samples(self.samples, given)
        seen = self.looked(samples)
        found = {"kid": distance(seen, self.real), "novelty": _away(seen, known) / _away(self.real, known)}
        if column is not None:
            found["agreement"] = float((self.judge.probabilities(samples)[0] == asked).mean())
            found["kid of a kind"] = mean(distance(seen[asked == k], self._of(self.real, k)) for k in range(self.classes))
        return found

    def _of(self, features: Tensor, kind: int) -> Tensor:
        return features[torch.from_numpy(self.kinds == kind)]


def _away(features: Tensor, known: Tensor) -> float:
    """The median distance to the nearest that is known."""
    return float(nearest(features, [known], k=1)[0].median())


def painters(trial: Trial) -> dict[str, tuple[Dataset, str | None]]:
    """What each model learns from, and the column by which its samples are asked for."""
    filled = trial.opened(trial.views["painter"])
    few = trial.opened(View(makes="picture", given={"few": Wanted()}, derived={"few": trial.views["painter"].derived["few"]}))
    only = copy(few)
    only.train = few.train.only(few.train.holders("few"))
    return {
        "filled": (filled, "kind"),
        "labelled only": (only, "few"),
        "unconditional": (trial.opened(View(makes="picture", given={})), None),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_labels", description=__doc__)
    parser.add_argument("images", type=Path, help="folder of the IDX files of Fashion-MNIST, with labels")
    parser.add_argument("--seconds", type=float, default=300, help="of training, a model; the teacher learns twice as long")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--workspace", type=Path, default=Path("few-labels"))
    parser.add_argument("--out", type=Path, help="a JSON file of all figures")
    asked = parser.parse_args()
    told = yaml.safe_load(RECIPE.read_text())
    told["sources"] = [{"kind": "idx", "path": str(asked.images.resolve()), "classes": told["sources"][0]["classes"]}]
    workspace = Workspace(asked.workspace.resolve())
    trial = Trial(parse(told), workspace, Settings(workspace=workspace.root), asked.seconds, asked.samples)
    print(f"{machine()}; {asked.seconds:.0f} s each, {asked.seeds} seeds, {asked.samples} samples", flush=True)
    figures: list[dict[str, Any]] = []
    for seed in range(asked.seeds):
        accuracy = trial.taught(seed)
        models = painters(trial)
        few = models["labelled only"][0].train
        known = trial.looked(few.contents(np.arange(len(few))))
        for name, (dataset, column) in models.items():
            painter = trial.learned(*PAINTER, dataset, seed, asked.seconds)
            found = {"items": len(dataset.train), "steps": painter.made, **trial.measured(painter, column, known)}
            figures.append({"name": name, "seed": seed, **found} | ({"teacher": accuracy} if name == "filled" else {}))
            print(json.dumps(figures[-1]), flush=True)
            if asked.out is not None:
                asked.out.write_text(json.dumps(figures))
    _table(figures)


def _table(figures: list[dict[str, Any]]) -> None:
    columns = ("items", "kid", "novelty", "kid of a kind", "agreement", "teacher")
    print("\n| model | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name in dict.fromkeys(one["name"] for one in figures):
        rows = [one for one in figures if one["name"] == name]
        cells = [[one[column] for one in rows if column in one] for column in columns]
        print(f"| {name} | " + " | ".join(_cell(values) for values in cells) + " |")


def _cell(values: list[float]) -> str:
    """The mean, and of each seed."""
    return f"{mean(values):.4g} ({', '.join(f'{value:.4g}' for value in values)})" if values else ""


if __name__ == "__main__":
    main()
