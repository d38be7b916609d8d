"""From what lies in a folder to a recipe for it: settings that suit the data and this machine, each with its reason."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psutil
import yaml

from genwright.core.errors import DataError
from genwright.core.record import Part
from genwright.core.shapes import Tokens
from genwright.data.filters.base import filters
from genwright.data.modalities.base import build as build_modality
from genwright.data.readers.files import FilesReader
from genwright.data.records import Side
from genwright.data.split import Splitting
from genwright.evaluation.metrics.base import FEWEST as FEWEST_MEASURED
from genwright.evaluation.metrics.base import metrics
from genwright.recipes.inspect import Inspection
from genwright.recipes.origin import Origin
from genwright.recipes.recipe import parse
from genwright.recipes.survey import Met

SIDES = (8, 16, 32, 64)  # of pictures, in pixels
SHARES = {0.05: 200, 0.1: 60, 0.15: 40, 0.2: 36, 0.25: 32, 0.3: 0}  # held out on either side, and the items it must give
RULES = ("corrupt", "exact_duplicates", "near_duplicates")
FEWEST: dict[Side, int] = {"train": 16, "validation": 4, "test": 4}  # twice what cleaning insists on, since it may drop some
SAFE = 1.5  # times as many test items as measures need, since cleaning may drop some
FEW_PICTURES = 5000  # below which training sees each otherwise every time
KILO, MEGA = 2**10, 2**20
USUAL = {"resgan", "vae", "diffusion", "gpt", "seq2seq"}  # families that a proposal lets race
PICTURES = {"mmd": 0.5, "texture": 0.3, "novelty": 0.7, "copies": 0.9}
HEEDS_LABELS, HEEDS = {"heeds": 0.4}, {"heeds": 0.1}
KINDS = {"agreement": 0.5, "evenness": 0.3}
ANSWERS = {"chrf": 0.1, "fluency": 0.65}
SEQUENCES = {"bits_per_byte": 0.02, "fluency": 0.7, "variety": 0.5, "copied_passage": 0.3}
"""Measures to the share of the way from naive imitations to real items that a recipe asks for. Real items pass all of them, and
no fraud of `evaluation/frauds.py` does."""


@dataclass(frozen=True)
class Machine:
    """What bears on a budget."""

    cores: int
    memory_gib: float
    gpu: str | None

    @classmethod
    def here(cls) -> Machine:
        """This machine."""
        import torch

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
        return cls(os.cpu_count() or 1, psutil.virtual_memory().total / 2**30, gpu)

    @property
    def title(self) -> str:
        return f"{self.cores} cores, {self.memory_gib:.0f} GiB of memory, {self.gpu or 'no GPU'}"


@dataclass(frozen=True)
class Proposal:
    """A recipe called `name` for what was found at its origin."""

    name: str
    origin: Origin
    found: Inspection
    machine: Machine

    @cached_property
    def split(self) -> Splitting:
        """Shares that hold out enough to measure on, and no more. Raises DataError when there is too little data."""
        for share, wanted in SHARES.items():
            split = Splitting(validation=share, test=share)
            counts = {side: self._count(split, side) for side in FEWEST}
            if self._usable * min(counts["validation"], counts["test"]) >= wanted:
                break
        if any(counts[side] < fewest for side, fewest in FEWEST.items()):
            raise DataError(
                "There is too little data to train and measure on.",
                got=f"{self.found.distinct} different items of kind {self.found.kind} ({self.found.claim.why})",
                allowed="about 40 or more",
                do="add some, or cut long ones into several",
            )
        return split

    @property
    def held_out(self) -> int:
        """Items of the test split, those left out that cannot be read."""
        return round(self._usable * self._count(self.split, "test"))

    def _count(self, split: Splitting, side: Side) -> float:
        """How many different items are on a side; about, where there are very many."""
        some = self.found.places
        return sum(split.side(place, given=given) == side for place, given in some) * self.found.distinct / max(1, len(some))

    @property
    def across(self) -> list[tuple[Met, Met]]:
        """Near duplicates that lie on two sides of the split."""
        pairs = [(pair, [self.split.side(met.place, given=met.given_side) for met in pair]) for pair in self.found.alike]
        return [pair for pair, sides in pairs if sides[0] != sides[1]]

    @property
    def _usable(self) -> float:
        """Share of the items that can be read."""
        return 1 - len(self.found.unreadable) / max(1, self.found.sampled)

    @cached_property
    def content(self) -> dict[str, Any]:
        """The content's options."""
        found = self.found
        if found.pictures is not None:
            return {"size": self._size(), "channels": 1 if found.pictures.grey else 3}
        if found.kind not in ("text", "code"):
            return {}
        steps = [(256 * KILO, 512), (MEGA, 1024), (4 * MEGA, 2048)]
        vocab = next((size for limit, size in steps if found.bytes < limit), 4096)
        ending = {"ending": found.ending.removeprefix(".")} if found.kind == "code" and found.form == "files" else {}
        return {"vocab": vocab, "length": 128 if found.bytes / found.items < 500 else 256, **ending}

    @property
    def asked(self) -> dict[str, Any] | None:
        """The content by which a model is asked, where that is no label: a caption, what a text answers, another picture."""
        kind = None if self.found.labelled else self.found.asked
        if kind is None:
            return None
        if kind == "image":
            return {"kind": "image", **self.content}
        if self.found.kind == "image":
            return {"kind": "text", "vocab": 1024, "length": 32}
        return {"kind": "text", "vocab": self.content["vocab"], "length": self.content["length"]}

    @property
    def altered(self) -> bool:
        """Whether there are so few pictures that a model should see them a little otherwise every time. What lies on the grid
        of another picture cannot be moved alone."""
        beside = self.asked is not None and self.asked["kind"] == "image"
        return self.found.pictures is not None and not beside and self.found.distinct < FEW_PICTURES

    @property
    def form(self) -> str | None:
        """How the source reads the data, as YAML; None where a file is an item."""
        if self.found.form == FilesReader.name:
            return None
        given = {"kind": self.found.form, **self.found.options.form.options}
        return yaml.safe_dump(given, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf).strip()

    @property
    def beside(self) -> list[tuple[str, str]]:
        """What the source is told of files that lie beside those that are items, and why."""
        options = self.found.options
        told = {
            "captions": (options.captions, "the ending of the captions"),
            "caption_lines": ("true" if options.caption_lines else None, "each line of such a file is a caption of its own"),
            "control": (options.control, "what is added to a picture's name for that of the one it is made from"),
            "exclude": (json.dumps(options.exclude) if options.exclude else None, "pictures that belong to others"),
        }
        return [(f"{name}: {value}", why) for name, (value, why) in told.items() if value is not None]

    def _size(self) -> list[int]:
        """Height and width: the longer side as near to the pictures' own as this machine trains in minutes."""
        assert self.found.pictures is not None
        height, width = self.found.pictures.height, self.found.pictures.width
        largest = 64 if self.machine.gpu or self.machine.cores >= 16 else 32
        longer = min((s for s in SIDES if s <= largest), key=lambda s: abs(math.log(s / max(height, width))))
        if 0.8 <= width / height <= 1.25:
            return [longer, longer]
        shorter = max(8, 8 * round(longer * min(height, width) / max(height, width) / 8))
        return [shorter, longer] if width > height else [longer, shorter]

    @property
    def minutes(self) -> tuple[int, int]:
        """Of the race and of a round of training."""
        if isinstance(self.found.shape, Tokens):
            return 2, max(4, min(12, round(2 * self.found.bytes / MEGA)))
        return {8: (2, 3), 16: (2, 4), 32: (3, 8), 64: (4, 12)}[max(self.content.get("size", [32]))]

    @property
    def memory(self) -> int:
        """GiB a candidate may take: half of what there is."""
        return max(1, int(self.machine.memory_gib / 2))

    @property
    def samples(self) -> int:
        if isinstance(self.found.shape, Tokens):
            return 128 if self.found.distinct >= 500 else 64
        return 500 if self.found.distinct >= 1000 else 200

    @property
    def cleaning(self) -> list[str]:
        """The usual rules, where they suit the content."""
        modality = build_modality(Part(kind=self.found.kind))
        return [rule for rule in RULES if filters.get(rule).applies(modality) is None]

    @property
    def bounds(self) -> dict[str, float]:
        """Measures to the skill that is asked for, as far as this much data can support it."""
        if self.held_out < SAFE * FEWEST_MEASURED:
            return {}
        found = self.found
        fair = found.labelled and 2 <= len(found.classes) <= 20 and min(found.classes.values()) >= 20
        heeds = HEEDS_LABELS if found.labelled else HEEDS if self.asked is not None else {}
        if found.gzip_bits is not None:
            return ANSWERS if self.asked is not None else SEQUENCES | heeds | (KINDS if fair else {})
        small = math.prod(self.content.get("size", [64])) * self.content.get("channels", 3) <= 3 * 32 * 32
        return PICTURES | heeds | (KINDS if fair and small else {})

    @property
    def families(self) -> list[str]:
        """Who races: of those that take the content the usual ones, of each kind one, so that each has time."""
        return [name for name in self.takers if name in USUAL] or self.takers

    @property
    def takers(self) -> list[str]:
        """Those that take the content, and what it is asked by."""
        asked = self.asked
        if asked is None:
            return self.found.takers()
        shape = build_modality(Part(kind=asked["kind"], options={k: v for k, v in asked.items() if k != "kind"})).outline
        return self.found.takers() if shape is None else self.found.takers(condition=shape)

    def text(self) -> str:
        """The recipe as commented YAML; it has been parsed and is valid."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("genwright.reports"),
            autoescape=False,  # what comes from the folder is quoted
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )
        environment.filters["quoted"] = _quoted
        environment.filters["pad"] = lambda text: f"{text:<35} "
        text = environment.get_template("recipe.yaml.j2").render(
            p=self,
            found=self.found,
            machine=self.machine,
            families=self.families,
            explain={name: metrics.get(name).explain for name in self.bounds},
            sequences=isinstance(self.found.shape, Tokens),
        )
        parse(yaml.safe_load(text), f"the recipe for {self.origin.place}")
        return text


def _quoted(text: str) -> str:
    """A YAML string on one line, whatever the text holds."""
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=math.inf).strip()
