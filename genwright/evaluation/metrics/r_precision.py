"""Do samples show what their prompts say (R-precision: Xu et al. 2018; by a CLIP: Park et al. 2021)?"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.shapes import Label, Signature, Tokens
from genwright.data.columns import Integers
from genwright.evaluation import classifier, pairs
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured
from genwright.models.architectures.base import Encodes

KNOWN = 20_000  # training items among which the nearest text is looked for


class _Asked(NamedTuple):
    """A judge, the column that is made and the one that is given as it knows them, and the samples and held-out rows whose
    prompts are compared."""

    judge: Encodes
    made: str
    given: str
    places: NDArray[np.intp]
    rows: Integers


@metrics.register
class RPrecision(Metric):
    """Share of samples that are found by what they were given among 100 samples, or find it among 100 givens, the mean of both,
    as a judge sees it: a model of the recipe that relates the two, makes nothing, and by which nothing is made. `floor` is what
    the real held-out items get, `naive` is chance; `detail` has what training items with the nearest text get, which the judge
    has learned from and so knows better than any new picture. It does not see whether a sample is good."""

    name = "r_precision"
    better = "higher"
    compared = True
    explain = "How often a sample is told by its prompt from 99 other samples, by a judge that was not used in making it."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        if signature.makes is None:
            return "judges what is made"
        given = [port for port in signature.given.values() if not isinstance(port.shape, Label)]
        return None if given else "nothing is given that could tell samples apart"

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        asked = _asked(evaluand)
        if asked is None:
            return "no model of the recipe judges whether what is made and what is given belong together"
        return None if len(asked.rows) > 1 else "no two held-out items have what is given"

    def measure(self, evaluand: Evaluand) -> Measured:
        asked = _asked(evaluand)
        assert asked is not None
        given = evaluand.given_of(asked.rows)[asked.given]
        texts = pairs.encoded(asked.judge, asked.given, given.value, evaluand.device)
        alike = pairs.alike(given)

        def of(contents: Tensor) -> pairs.Found:
            return pairs.found(pairs.encoded(asked.judge, asked.made, contents, evaluand.device), texts, alike)

        found = of(evaluand.samples[torch.from_numpy(asked.places)])
        real = of(evaluand.held_out.contents(asked.rows))
        nearest = float(of(_nearest_by_text(evaluand, asked.given, given)).first.mean())

        def mean(places: NDArray[np.intp]) -> float:
            return float(found.first[places].mean())

        n = len(asked.rows)
        low, high = bootstrap(n, mean, seed=evaluand.seed)
        detail = {"pool": found.pool, "median share nearer": float(np.median(found.better)), "nearest by text": nearest}
        value, floor = mean(np.arange(n)), float(real.first.mean())
        return Measured(value=value, low=low, high=high, n=n, floor=floor, naive=found.chance, perfect=1.0, detail=detail)


def _asked(evaluand: Evaluand) -> _Asked | None:
    """Who may judge, and of what; None where nobody may."""
    makes = evaluand.dataset.view.makes
    for judge in evaluand.judges.values():
        known = cast(Encodes, judge).codes if isinstance(judge, Encodes) else {}
        given = [name for name in evaluand.signature.given if name in known]
        if makes in known and given:
            assert makes is not None
            rows = evaluand.rows[: pairs.MOST]
            _, first = np.unique(rows, return_index=True)  # a row that is asked for again is no other item
            there = evaluand.given[given[0]].present.numpy()[first]
            places = np.sort(first[there])
            return _Asked(cast(Encodes, judge), makes, given[0], places, rows[places])
    return None


def _nearest_by_text(evaluand: Evaluand, column: str, asked: Given) -> Tensor:
    """(n, ...) of each row the training item whose text has the most words in common, or whose vector is nearest."""
    train = evaluand.dataset.train
    rows = train.subset(KNOWN)
    known = train.table(rows)[column]
    rows = rows[known.present.numpy()]
    there = known.value[known.present]
    tokens = isinstance(evaluand.signature.given[column].shape, Tokens)
    one, other = (torch.from_numpy(classifier.values(x)) if tokens else x.flatten(1) for x in (asked.value, there))
    return train.contents(rows[torch.cdist(one, other).argmin(dim=1).numpy()])
