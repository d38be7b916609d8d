"""Which measure sees which fraud, and which gates of the recipe that `genwright new` writes refuse it: `make frauds`.

For pictures, text and code: three real data sets each, of which one has fewer than 300 items and one has seven labels; and the
translation recipe with its own bounds. Nothing is trained. The tables go to docs/evaluation.md.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
import yaml
from torch import Tensor

from genwright.core.workspace import Workspace
from genwright.data.clean import clean
from genwright.data.collect import collect
from genwright.data.dataset import Dataset
from genwright.data.item import Item
from genwright.evaluation import frauds
from genwright.evaluation.bounds import Bound
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.memo import Memo
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import Measured
from genwright.models.architectures.base import SampleOptions
from genwright.recipes import stages
from genwright.recipes.inspect import inspect
from genwright.recipes.recipe import Recipe, load, parse
from genwright.recipes.suggest import Machine, Proposal

ROOT = Path(__file__).parents[1]
MACHINE = Machine(cores=2, memory_gib=16, gpu=None)


@dataclass(frozen=True)
class Verdict:
    """A fraud, or real items: what each measure says, and the gates that refuse it."""

    measures: dict[str, Measured]
    refused_by: list[str]


def proposed(folder: Path, name: str = "tried") -> Recipe:
    """The recipe that `genwright new` writes for a folder."""
    return parse(yaml.safe_load(Proposal(name, str(folder.resolve()), inspect(folder), MACHINE).text()))


def cleaned(recipe: Recipe, workspace: Workspace) -> Dataset:
    """The data set of a recipe, as the data stages make it."""
    raw, out = workspace.raw(recipe.name), workspace.clean(recipe.name)
    if not out.is_dir():
        collect(stages.collecting(recipe, workspace), workspace, raw)
        clean(stages.cleaning(recipe), raw, out)
    return Dataset(out, recipe.outcome.view)


def tried(recipe: Recipe, dataset: Dataset, other: Tensor | None = None) -> Iterator[tuple[str, Verdict]]:
    """Real items, then every fraud, against all measures that can be taken of samples and the gates of the recipe."""
    memo = Memo(dataset)
    signature = dataset.signature.asked(recipe.outcome.first)
    subject = Evaluand(
        signature, dataset, "test", recipe.samples, 20_000, SampleOptions(), lambda asks: torch.empty(0), memo=memo
    )
    for name, evaluand in frauds.tried(subject, other):
        measures = {key: metric().measure(evaluand) for key, metric in metrics.all().items() if takeable(key, evaluand)}
        yield name, Verdict(measures, [key for key, bound in recipe.accept.items() if refuses(key, bound, measures)])


def takeable(key: str, evaluand: Evaluand) -> bool:
    """Whether a measure can be taken of samples alone."""
    metric = metrics.get(key)
    return metric.applies(evaluand) is None and len(evaluand.held_out) >= metric.minimum


def refuses(key: str, bound: Bound, measures: dict[str, Measured]) -> bool:
    """Whether a bound refuses what was measured; what was not measured is refused by nothing here."""
    if key not in measures:
        return False
    limits = bound.limits(measures[key], metrics.get(key).better)
    value = measures[key].value
    return any(limit is None or (value < limit if words == "at least" else value > limit) for limit, words in limits)


def filled(folder: Path, items: Iterator[Item], most: int, label: Callable[[Item], str | None] = lambda item: None) -> Path:
    """Files of items, in a folder for each label."""
    count = Counter[str]()
    for place, item in enumerate(items):
        kind = label(item) or ""
        if count[kind] >= most:
            continue
        count[kind] += 1
        path = folder / kind / f"{place:06d}{Path(item.name).suffix or '.txt'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.data)
    return folder


def of_recipe(name: str, workspace: Workspace) -> Iterator[Item]:
    """The items of a recipe that comes with the project."""
    return stages.items(load(ROOT / "recipes" / f"{name}.yaml"), workspace)


def condition(item: Item) -> str | None:
    found = item.columns.get("condition") or item.columns.get("label")
    return None if found is None else found.decode()


def seven(item: Item) -> str | None:
    return condition(item)


def sets(workspace: Workspace) -> Iterator[tuple[str, Recipe, str]]:
    """Title, recipe, and the kind of content."""
    root = workspace.root / "files"
    for title, recipe, kind, most, label, kinds in (
        ("digits", "digits", "pictures", 10_000, condition, None),
        ("seven kinds of clothes", "fashion", "pictures", 500, condition, 7),
        ("280 emoji", "openmoji", "pictures", 280, lambda item: None, None),
        ("Python's library", "code", "code", 800, lambda item: None, None),
        ("seven packages", "code", "code", 60, condition, 7),
        ("260 modules", "code", "code", 260, lambda item: None, None),
    ):
        folder = root / title.replace(" ", "-").replace("'", "")
        if not folder.is_dir():
            filled(folder, of_recipe(recipe, workspace), most, label)
            if kinds is not None:
                named = [one for one in folder.iterdir() if one.is_dir()]
                largest = sorted(named, key=lambda one: -len(list(one.iterdir())))[:kinds]
                for path in [path for path in folder.rglob("*") if path.is_file() and path.parent not in largest]:
                    path.unlink()
        yield title, proposed(folder, f"set-{abs(hash(title)) % 10**6}"), kind


def main() -> None:
    """Print a table for each data set."""
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace(Path(place))
        for title, recipe, _ in islice(sets(workspace), None):
            dataset = cleaned(recipe, workspace)
            table(title, dataset, recipe, dict(tried(recipe, dataset)))


def table(title: str, dataset: Dataset, recipe: Recipe, verdicts: dict[str, Verdict]) -> None:
    names = list(verdicts[frauds.REAL].measures)
    print(f"\n### {title}: {len(dataset.train):,} training and {len(dataset.test):,} test items\n")
    print("| | " + " | ".join(f"`{name}`" for name in names) + " | refused by |")
    print("|---|" + "---|" * (len(names) + 1))
    for fraud, verdict in verdicts.items():
        cells = [f"{verdict.measures[name].value:.3g}" if name in verdict.measures else "" for name in names]
        print(f"| {fraud} | " + " | ".join(cells) + " | " + (", ".join(verdict.refused_by) or "nothing") + " |", flush=True)


if __name__ == "__main__":
    main()
