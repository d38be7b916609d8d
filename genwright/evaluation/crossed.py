"""Cross-validation: what several models make, each of what it has not seen, counts as one measure (Stone 1974).

The interval is the wider of two: what chance in the items of each part gives, and how far the parts lie from each other.
The models share most of what they learned from, so that the second is still too narrow (Bengio & Grandvalet 2004).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import stdtrit

from genwright.core.record import fingerprint
from genwright.evaluation.records import Evaluation, Measured


def pooled(parts: Sequence[Evaluation]) -> Evaluation:
    """One evaluation of several, that of the registered model first. A part has few items by chance, and what cannot be
    measured on it is the mean of the others, of half of them at least."""
    first = parts[0]
    if len(parts) == 1:
        return first
    found: dict[str, list[Measured]] = defaultdict(list)
    for part in parts:
        for key, one in part.measures.items():
            found[key].append(one)
    taken = {key: some for key, some in found.items() if len(some) >= max(2, len(parts) / 2)}
    reasons = {key: why for part in reversed(parts) for key, why in part.unmeasured.items()}
    return first.model_copy(
        update={
            "evaluation_set": fingerprint([part.evaluation_set for part in parts]),
            "measures": {key: _mean(some) for key, some in sorted(taken.items())},
            "unmeasured": {key: why for key, why in reasons.items() if key not in taken},
            "faults": list(dict.fromkeys(fault for part in parts for fault in part.faults)),
            "seconds": sum(part.seconds for part in parts),
        }
    )


def _mean(parts: Sequence[Measured]) -> Measured:
    values = np.array([part.value for part in parts])
    value, n = float(values.mean()), len(parts)
    apart = float(stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n))
    below = max(apart, _joined([part.value - part.low for part in parts]))
    above = max(apart, _joined([part.high - part.value for part in parts]))
    known = set.intersection(*(set(part.groups) for part in parts))
    return Measured(
        value=value,
        low=max(value - below, min(part.low for part in parts)),
        high=min(value + above, max(part.high for part in parts)),
        n=sum(part.n for part in parts),
        floor=_of(parts, lambda part: part.floor),
        naive=_of(parts, lambda part: part.naive),
        perfect=parts[0].perfect,
        groups={key: float(np.mean([part.groups[key] for part in parts])) for key in sorted(known)},
        detail=parts[0].detail,
    )


def _joined(widths: Sequence[float]) -> float:
    """Half the interval of a mean of what varies independently."""
    return float(np.linalg.norm(widths)) / len(widths)


def _of(parts: Sequence[Measured], told: Callable[[Measured], float | None]) -> float | None:
    found = [one for part in parts if (one := told(part)) is not None]
    return float(np.mean(found)) if len(found) == len(parts) else None
