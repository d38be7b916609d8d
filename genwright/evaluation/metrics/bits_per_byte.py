"""How many bits a byte of held-out text costs under the model: compression, comparable across tokenizers."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from genwright.core.batch import Batch
from genwright.core.shapes import BOS, EOS, PAD, Signature, Tokens
from genwright.data.columns import Column
from genwright.data.feed import Side
from genwright.evaluation import ngrams
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.groups import of_each
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured
from genwright.models.architectures.base import ScoresTokens

TOKENS = 8192  # a batch

Row = tuple[int, int, NDArray[np.int64]]
"""An item, the first position that counts, and tokens of the shape's length."""


@metrics.register
class BitsPerByte(Metric):
    """Bits of whole held-out items over their raw bytes; what they are given costs nothing.

    Protocol. Every item stands alone: BOS, its tokens, EOS; BOS is given, everything else is predicted
    exactly once. Items longer than the model's length are read in windows that overlap by half, each token counted in the
    first window that holds it, so that all but an item's first tokens are predicted from at least half a window.
    On the test side every item counts; on the others random items are taken until they hold max(count, 1) times the shape's
    length in tokens, the last one cut there with its bytes counted in proportion.

    `detail.gzip` is what `gzip -9` needs for the same items one by one, and `naive` the less of that and what a model of the
    last three tokens needs, where whole items were measured. It sees what a model expects, not what it writes.
    """

    name = "bits_per_byte"
    better = "lower"
    explain = "Bits the model needs for a byte of text it has never seen; the lower, the better it knows the language."
    minimum = 1

    rank = 1
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return None if isinstance(signature.makes, Tokens) else "measures sequences"

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        if evaluand.model is None or not isinstance(evaluand.model, ScoresTokens):
            return "the family gives no probabilities of tokens"
        return None if len(evaluand.held_out) else "there are no held-out items"

    def measure(self, evaluand: Evaluand) -> Measured:
        assert isinstance(evaluand.signature.makes, Tokens)
        side, length = evaluand.held_out, evaluand.signature.makes.length
        cap = None if evaluand.held == "test" else max(evaluand.count, 1) * length
        chosen = _choose(side, cap)
        nats = np.zeros(len(side))
        for items, counted, batch in _batches(evaluand, chosen, length):
            for item, first, row in zip(items, counted, _score(evaluand, batch), strict=True):
                nats[item] += float(row[first:].sum())
        picked = np.array(list(chosen), dtype=np.int64)
        bits = nats[picked] / math.log(2)
        sizes = np.array([_bytes(evaluand, i) * chosen[i] / max(1, _size(side, i)) for i in picked])

        def share(places: NDArray[np.intp]) -> float:
            return float(bits[places].sum() / sizes[places].sum())

        low, high = bootstrap(len(picked), share, seed=evaluand.seed)
        value, groups = float(bits.sum() / sizes.sum()), of_each(evaluand.groups(picked), share)
        detail, naive = {}, None
        if cap is None:
            detail["gzip"] = 8 * sum(_zipped(evaluand, i) for i in picked) / float(sizes.sum())
            naive = min(detail["gzip"], float(ngrams.bits_of(evaluand, side).sum()) / float(sizes.sum()))
        return Measured(
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=len(picked),
            naive=naive,
            perfect=0.0,
            groups=groups,
            detail=detail,
        )


def _texts(side: Side) -> Column:
    assert side.texts is not None
    return side.texts


def _size(side: Side, item: int) -> int:
    offsets = _texts(side).offsets
    assert offsets is not None
    return int(offsets[item + 1] - offsets[item])


def _choose(side: Side, cap: int | None) -> dict[int, int]:
    """Items to how many of their tokens count."""
    chosen: dict[int, int] = {}
    total = 0
    for item in side.subset(len(side)).tolist():
        if cap is not None and total >= cap:
            break
        size = _size(side, item)
        chosen[item] = size if cap is None else min(size, cap - total)
        total += chosen[item]
    return chosen


def _batches(evaluand: Evaluand, chosen: dict[int, int], length: int) -> Iterator[tuple[list[int], list[int], Batch]]:
    """Items, first counted positions and tokens of about TOKENS tokens at a time."""
    held: list[Row] = []
    for item, size in chosen.items():
        for row in _windows(item, _texts(evaluand.held_out).tokens(item), size, length):
            held.append(row)
            if len(held) * length >= TOKENS:
                yield _joined(evaluand, held)
                held = []
    if held:
        yield _joined(evaluand, held)


def _windows(item: int, tokens: NDArray[np.int64], size: int, length: int) -> Iterator[Row]:
    """The windows of one item: the next begins half a window later and counts from where this one ends."""
    whole = size == len(tokens)
    stream = np.concatenate([[BOS], tokens[:size], [EOS] if whole else []]).astype(np.int64)
    start = end = 0
    while end < len(stream):
        row = np.full(length, PAD, dtype=np.int64)
        piece = stream[start : start + length]
        row[: len(piece)] = piece
        yield item, end - start, row
        end, start = start + length, start + length // 2


def _joined(evaluand: Evaluand, rows: list[Row]) -> tuple[list[int], list[int], Batch]:
    items = [item for item, _, _ in rows]
    content = torch.from_numpy(np.stack([row for _, _, row in rows]))
    return items, [first for _, first, _ in rows], Batch(content, evaluand.given_of(np.array(items)))


def _score(evaluand: Evaluand, batch: Batch) -> torch.Tensor:
    model = evaluand.model
    assert model is not None
    assert isinstance(model, ScoresTokens)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return model.token_nll(batch.to(evaluand.device)).double().cpu()
    finally:
        model.train(training)


def _bytes(evaluand: Evaluand, item: int) -> int:
    """Raw bytes of a text: as it was collected where it is what the item is known by, else as it is written."""
    dataset = evaluand.dataset
    known = dataset.view.makes == dataset.contents.content
    return int(evaluand.held_out.bytes[item]) if known else len(_written(evaluand, item))


def _zipped(evaluand: Evaluand, item: int) -> int:
    return len(gzip.compress(_written(evaluand, item), compresslevel=9, mtime=0))


def _written(evaluand: Evaluand, item: int) -> bytes:
    modality = evaluand.content
    return modality.write(modality.decode(_texts(evaluand.held_out).tokens(item)))
