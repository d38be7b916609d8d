"""Which measure sees which fraud, and which gates of the recipe that `genwright new` writes refuse it: `make frauds`.

For pictures, text and code: three real data sets each, of which one has fewer than 300 items and one has seven labels; and the
translation recipe with its own bounds. Nothing is trained. The tables go to docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
import yaml
from torch import Tensor

from genwright.core.shapes import Tokens
from genwright.core.workspace import Workspace
from genwright.data.clean import clean
from genwright.data.collect import collect
from genwright.data.columns import numbers, padded
from genwright.data.dataset import Dataset
from genwright.data.item import Item
from genwright.evaluation import frauds
from genwright.evaluation.bounds import absolute
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.evaluate import measures
from genwright.evaluation.memo import Memo
from genwright.evaluation.metrics.base import metrics, ranked
from genwright.evaluation.records import Evaluation, Measured
from genwright.models.architectures.base import SampleOptions
from genwright.recipes import stages
from genwright.recipes.inspect import inspect
from genwright.recipes.origin import Origin
from genwright.recipes.recipe import Recipe, load, parse
from genwright.recipes.suggest import Machine, Proposal

ROOT = Path(__file__).parents[1]
MACHINE = Machine(cores=2, memory_gib=16, gpu=None)
ALIEN = {"texts": "code", "code": "texts", "answers": "code"}  # kinds of which the files can be read as another's
OTHERS = 200  # files of other data


@dataclass(frozen=True)
class Verdict:
    """A fraud, or real items: what each measure says, and the gates that refuse it."""

    measures: dict[str, Measured]
    refused_by: list[str]


def proposed(folder: Path, name: str = "tried") -> Recipe:
    """The recipe that `genwright new` writes for a folder."""
    return parse(yaml.safe_load(Proposal(name, Origin.folder(str(folder.resolve())), inspect(folder), MACHINE).text()))


def cleaned(recipe: Recipe, workspace: Workspace) -> Dataset:
    """The data set of a recipe, as the data stages make it."""
    return Dataset(prepared(recipe, workspace), recipe.outcome.view)


def prepared(recipe: Recipe, workspace: Workspace) -> Path:
    """The folder of its cleaned data, made where it is not there."""
    raw, out = workspace.raw(recipe.name), workspace.clean(recipe.name)
    if not out.is_dir():
        collect(stages.collecting(recipe, workspace), workspace, raw)
        clean(stages.cleaning(recipe), raw, out)
    return out


def tried(recipe: Recipe, dataset: Dataset, other: Tensor | None = None) -> Iterator[tuple[str, Verdict]]:
    """Real items, then every fraud, against all measures that can be taken of samples and the gates of the recipe."""
    memo = Memo(dataset)
    signature = dataset.signature.asked(recipe.outcome.first)
    subject = Evaluand(
        signature, dataset, "test", recipe.samples, 20_000, SampleOptions(), lambda asks: torch.empty(0), memo=memo
    )
    for name, evaluand in frauds.tried(subject, other):
        taken = {key: one for key, one in measures(evaluand).items() if isinstance(one, Measured)}
        told = Evaluation(model=name, evaluation_set="", code="", compared_by=ranked(signature).name, measures=taken)
        # What cannot be taken of samples alone is no reason to refuse anything here.
        verdicts = absolute(told, {key: bound for key, bound in recipe.accept.items() if key in taken})
        yield name, Verdict(taken, list(dict.fromkeys(verdict.name for verdict in verdicts if not verdict.passed)))


Told = tuple[str, str, bytes, bytes | None]
"""Of a file: the label, its name, its bytes, and those of the text that it answers."""


def plain(items: Iterator[Item]) -> Iterator[Told]:
    """A file an item, its label where it has one."""
    for place, item in enumerate(items):
        label = item.columns.get("condition") or item.columns.get("label") or b""
        yield label.decode(), f"{place:06d}{Path(item.name).suffix}", item.data, None


def chapters(items: Iterator[Item]) -> Iterator[Told]:
    """The English of all verses of a chapter in one file; the label is the book."""
    for name, verses in groupby(items, key=lambda item: item.name.rpartition(".")[0]):
        yield name.partition(".")[0], f"{name}.txt", b"\n".join(verse.columns["condition"] for verse in verses), None


def pairs(items: Iterator[Item]) -> Iterator[Told]:
    """The Spanish of a verse, which answers the English; the label is the book."""
    for item in items:
        yield item.name.partition(".")[0], f"{item.name}.txt", item.data, item.columns["condition"]


@dataclass(frozen=True)
class Files:
    """A data set as a person has it: files made of the items of a recipe that comes with the project; up to `most` of each of
    the `kinds` commonest labels, which are folders, or of all where there are no labels."""

    title: str
    kind: str
    recipe: str
    told: Callable[[Iterator[Item]], Iterator[Told]]
    most: int
    kinds: int = 0

    def fill(self, folder: Path, workspace: Workspace) -> None:
        """Write the files."""
        every = list(self.told(stages.items(load(ROOT / "recipes" / f"{self.recipe}.yaml"), workspace)))
        labels = [label for label, _ in Counter(told[0] for told in every if told[0]).most_common(self.kinds)]
        written = Counter[str]()
        for label, name, data, question in every:
            kind = label if self.kinds else ""
            if (self.kinds and label not in labels) or written[kind] >= self.most:
                continue
            written[kind] += 1
            path = folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            if question is not None:
                path.with_suffix(".ask").write_bytes(question)

    def proposed(self, folder: Path) -> Recipe:
        """The recipe for them: what `new` writes; for texts that answer others, which it does not know, one like ours."""
        name = self.title.replace(" ", "-").replace("'", "").lower()
        if self.told is not pairs:
            return proposed(folder, name)
        text = {"kind": "text", "vocab": 1024, "length": 96}
        source = {"kind": "folder", "path": str(folder), "captions": ".ask"}
        accept = {"chrf": {"skill": 0.1}, "fluency": {"skill": 0.65}}
        share = {"validation": 0.2, "test": 0.2}
        given = {"name": name, "content": text, "condition": text, "sources": [source], "split": share, "accept": accept}
        return parse({**given, "samples": 200})


SETS = (
    Files("Digits", "pictures", "digits", plain, 500, 10),
    Files("Seven kinds of clothes", "pictures", "fashion", plain, 500, 7),
    Files("280 emoji", "pictures", "openmoji", plain, 280),
    Files("Chapters", "texts", "verses-es", chapters, 1200),
    Files("Seven books", "texts", "verses-es", chapters, 60, 7),
    Files("280 chapters", "texts", "verses-es", chapters, 280),
    Files("Python's library", "code", "code", plain, 800),
    Files("Seven packages", "code", "code", plain, 60, 7),
    Files("260 modules", "code", "code", plain, 260),
    Files("Verses", "answers", "verses-es", pairs, 5000),
    Files("Verses of seven books", "answers", "verses-es", pairs, 200, 7),
    Files("280 verses", "answers", "verses-es", pairs, 280),
)


def others(dataset: Dataset, folder: Path) -> Tensor:
    """Files of another data set, as a model of this one would have drawn them."""
    content = dataset.contents.content
    modality, makes = dataset.modalities[content], dataset.makes
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".ask")[:OTHERS]
    rows = []
    for path in paths:
        array = modality.encode(modality.read(path.read_bytes()))
        assert array is not None
        if isinstance(makes, Tokens):
            rows.append(torch.from_numpy(padded(array, makes.length, begin=False)))
        else:
            rows.append(numbers(makes, array))
    return torch.stack(rows)


def main() -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=sorted({files.kind for files in SETS}), help="these data sets alone")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace(Path(place))
        folders = {files.title: workspace.root / "files" / str(number) for number, files in enumerate(SETS)}
        for files in SETS:
            files.fill(folders[files.title], workspace)
        for files in SETS:
            if asked.kind not in (None, files.kind):
                continue
            recipe = files.proposed(folders[files.title])
            dataset = cleaned(recipe, workspace)
            other = next(
                one.title for one in SETS if one.recipe != files.recipe and one.kind in (files.kind, ALIEN.get(files.kind))
            )
            table(files, dataset, dict(tried(recipe, dataset, others(dataset, folders[other]))))


def table(files: Files, dataset: Dataset, verdicts: dict[str, Verdict]) -> None:
    """Measure by fraud, in Markdown; in bold what a measure claims to see."""
    names = list(verdicts[frauds.REAL].measures)
    print(f"\n### {files.title} ({files.kind}): {len(dataset.train):,} training and {len(dataset.test):,} test items\n")
    print("| | " + " | ".join(f"`{name}`" for name in names) + " | refused by |")
    print("|---|" + "---|" * (len(names) + 1))
    for fraud, verdict in verdicts.items():
        cells = [f"{verdict.measures[name].value:.3g}" if name in verdict.measures else "" for name in names]
        marked = [f"**{cell}**" if fraud in metrics.get(name).sees else cell for name, cell in zip(names, cells, strict=True)]
        print(f"| {fraud} | " + " | ".join(marked) + " | " + (", ".join(verdict.refused_by) or "nothing") + " |", flush=True)


if __name__ == "__main__":
    main()
