"""Does what is given make a difference?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.errors import NotFinite
from genwright.core.shapes import Signal, Signature, Tokens
from genwright.data.columns import Integers
from genwright.data.view import main_of
from genwright.evaluation import classifier, features
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.groups import of_each
from genwright.evaluation.metrics.base import FEWEST, Metric, bootstrap, metrics
from genwright.evaluation.neighbours import coarse
from genwright.evaluation.records import Measured
from genwright.models.architectures.base import TokenOptions, build_model
from genwright.sampling.sampler import Ask, drawn

MOST = 1000  # samples, and held-out items that they are compared with
CHANCE = 0.5
SHUFFLED = 100  # samples drawn anew for a column whose values are shuffled, and by a model that has learned nothing
BRIEF = 32  # tokens that such a model writes


@metrics.register
class Heeds(Metric):
    """How often a sample is nearer to a held-out item that is given the same than to one that is given something else (the area
    under the curve of that question, ties half): one half where what is given makes no difference, which is what samples for
    shuffled givens get. Nearness is that of the values of pictures on a coarse grid, and of the words of sequences. `floor` is
    what real items get where several are given the same, as with a label; 1 is perfect. It does not see whether samples are
    good.

    Where several columns are given, `detail["by"]` says of each how much the measure falls, with its interval, when the items'
    values of that column alone are shuffled among them: of a caption that is ignored beside a sketch, nothing.
    `detail["untrained"]` is the measure of a model of the same build that has learned nothing, and its interval."""

    name = "heeds"
    better = "higher"
    sees = ("mean", "noise", "static", "normal", "one class", "another kind", "answers to other questions")
    compared = True
    explain = "How often a sample is more like real items that are given the same than like others; 0.5 is chance."

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        if not signature.given:
            return "nothing is given"
        if isinstance(signature.makes, Tokens):
            return None
        return features.applies(signature.makes)

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        there, _ = _right(evaluand)
        some = there.any(axis=1) & ~there.all(axis=1)
        return None if some.any() else "no held-out item is given what a sample is given, beside others that are not"

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        if measured.low > CHANCE:
            return None
        told = f"{measured.value:.2f}, {measured.low:.2f} to {measured.high:.2f}, where chance is {CHANCE}"
        return f"what it is given makes no difference that can be told: heeds is {told}"

    def measure(self, evaluand: Evaluand) -> Measured:
        right, rows = _right(evaluand)
        held_out = _looked(evaluand, evaluand.held_out.contents(rows))
        asked = np.flatnonzero(right.any(axis=1) & ~right.all(axis=1))
        shares = _shares(evaluand, evaluand.samples[asked], held_out, right[asked])
        value, low, high = _mean(shares, evaluand.seed)
        groups = {name: np.flatnonzero(np.isin(asked, members)) for name, members in evaluand.groups().items()}
        return Measured(
            value=value,
            low=low,
            high=high,
            n=len(shares),
            floor=_floor(evaluand, rows, held_out),
            naive=CHANCE,
            perfect=1.0,
            groups=of_each({name: places for name, places in groups.items() if len(places)}, partial(_mean_of, shares)),
            detail={
                "by": _by_column(evaluand, asked, held_out, right[asked], shares),
                **_untrained(evaluand, asked[:SHUFFLED], held_out, right[asked[:SHUFFLED]]),
            },
        )


def _untrained(
    evaluand: Evaluand, asked: NDArray[np.intp], held_out: Tensor, right: NDArray[np.bool_]
) -> dict[str, tuple[float, float, float]]:
    """The measure of a model of the same build that has learned nothing, asked for the same; nothing of several models that
    make it together, of which each is measured by itself."""
    model = evaluand.model
    if model is None:
        return {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(evaluand.seed)
        fresh = build_model(model.name, model.config.model_dump(mode="json"), model.signature)
    try:
        samples = drawn(fresh.to(evaluand.device).eval(), [_brief(evaluand.asks[row]) for row in asked], len(asked))
    except NotFinite:
        return {}
    return {"untrained": _mean(_shares(evaluand, samples, held_out, right), evaluand.seed)}


def _brief(ask: Ask) -> Ask:
    """The same, for who would write on and on."""
    options = ask.options
    if not isinstance(options, TokenOptions):
        return ask
    return replace(ask, options=options.model_copy(update={"most": min(options.most or BRIEF, BRIEF)}))


def _by_column(
    evaluand: Evaluand, asked: NDArray[np.intp], held_out: Tensor, right: NDArray[np.bool_], shares: NDArray[np.float64]
) -> dict[str, tuple[float, float, float]]:
    """How much the measure falls, with its interval, when the values of one column alone are shuffled among what is asked;
    columns that come of one derivation together. `shares` (n,) is the measure of each sample of `asked` (n,), `right`
    (n, items) the items that are given the same. Nothing where there is but one column."""
    together: dict[str, list[str]] = {}
    for name in evaluand.given:
        together.setdefault(main_of(name, evaluand.dataset.view.derived) or name, []).append(name)
    found: dict[str, tuple[float, float, float]] = {}
    for title, names in together.items() if len(together) > 1 else ():
        rows, asks = _swapped(evaluand, asked, names)
        if len(rows) < FEWEST:
            continue
        try:
            samples = evaluand.draw(asks)
        except NotFinite:  # of what nobody asks for
            continue
        found[title] = _mean(shares[rows] - _shares(evaluand, samples, held_out, right[rows]), evaluand.seed)
    return found


def _shares(evaluand: Evaluand, samples: Tensor, held_out: Tensor, right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) the measure of each sample, of which `right` (n, items) are given the same; `held_out` (items, d) as `_looked`."""
    return _nearer(torch.cdist(_looked(evaluand, samples), held_out).numpy(), right)


def _mean(values: NDArray[np.float64], seed: int) -> tuple[float, float, float]:
    """And its interval."""
    return float(values.mean()), *bootstrap(len(values), partial(_mean_of, values), seed=seed)


def _mean_of(values: NDArray[np.float64], places: NDArray[np.intp]) -> float:
    return float(values[places].mean())


def _swapped(evaluand: Evaluand, asked: NDArray[np.intp], names: list[str]) -> tuple[NDArray[np.intp], list[Ask]]:
    """Up to SHUFFLED samples of `asked`, each like another held-out item, and what each asks for with these columns of one
    that has something else there."""
    _, first = np.unique(evaluand.rows[asked], return_index=True)
    asks = {row: evaluand.asks[asked[row]] for row in np.sort(first)}
    rows = [row for row, ask in asks.items() if set(names) <= set(ask.given)][:SHUFFLED]
    keys = [tuple(asks[row].given[name].numpy().tobytes() for name in names) for row in rows]
    chosen, swapped = [], []
    for place, row in enumerate(rows):
        turned = [(place + len(rows) // 2 + step) % len(rows) for step in range(len(rows))]
        other = next((rows[at] for at in turned if keys[at] != keys[place]), None)
        if other is not None:
            chosen.append(row)
            swapped.append(replace(asks[row], given=asks[row].given | {name: asks[other].given[name] for name in names}))
    return np.array(chosen, dtype=np.intp), swapped


def _right(evaluand: Evaluand) -> tuple[NDArray[np.bool_], Integers]:
    """(samples, items) whether an item is given what a sample is given, and the held-out rows of the items."""

    def find() -> tuple[NDArray[np.bool_], Integers]:
        rows = evaluand.held_out.subset(MOST)
        if not evaluand.by_label:
            rows = rows[np.isin(rows, evaluand.rows)]
        asked = _keys(evaluand.given, min(MOST, evaluand.count))
        return _equal(asked, _keys(evaluand.given_of(rows), len(rows))), rows

    return evaluand.once("given alike", find)


def _keys(given: Mapping[str, Given], n: int) -> NDArray[np.object_]:
    """(n,) what tells apart rows of which something else is given."""
    columns = [(one.value.flatten(1) if one.value.ndim > 1 else one.value[:, None]).numpy() for one in given.values()]
    present = [one.present.numpy() for one in given.values()]
    keys = [
        b"".join(values[row].tobytes() if there[row] else b"-" for values, there in zip(columns, present, strict=True))
        for row in range(n)
    ]
    return np.array(keys, dtype=object)


def _equal(keys: NDArray[np.object_], others: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.asarray(keys[:, None] == others[None], dtype=np.bool_)


def _looked(evaluand: Evaluand, content: Tensor) -> Tensor:
    """(n, d) features in which contents are compared."""
    makes = evaluand.signature.makes
    if isinstance(makes, Signal):
        return coarse(content, makes.dims) if makes.picture else content
    return torch.from_numpy(classifier.values(content))


def _nearer(distances: NDArray[np.float32], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) the share of pairs of a right item and another in which the right one is nearer, of distances (n, items)."""
    found = []
    for row, same in zip(distances, right, strict=True):
        order = np.sort(row[~same])
        below, equal = np.searchsorted(order, row[same], "left"), np.searchsorted(order, row[same], "right")
        found.append(float((1 - (below + equal) / (2 * len(order))).mean()))
    return np.array(found)


def _floor(evaluand: Evaluand, rows: Integers, held_out: Tensor) -> float | None:
    """What real items get: each held-out item beside the others; None where no two are given the same."""
    keys = _keys(evaluand.given_of(rows), len(rows))
    same = _equal(keys, keys)
    np.fill_diagonal(same, False)
    there = np.flatnonzero(same.any(axis=1) & ((~same).sum(axis=1) > 1))
    if not len(there):
        return None
    distances = torch.cdist(held_out, held_out).numpy()
    np.fill_diagonal(distances, np.inf)  # itself is among the others, and farthest
    return float(_nearer(distances[there], same[there]).mean())
