"""Items or samples that are alike in what they are given, for measures that say how each group fares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.intp]

MOST = 64  # classes that are told apart
NOTHING = "nothing"


def by_presence(present: Mapping[str, NDArray[np.bool_]]) -> dict[str, Places]:
    """Rows by the columns that they have, called like `label+known`; none where all have the same."""
    if not present:
        return {}
    table = np.stack([present[name] for name in present], axis=1)
    patterns, which = np.unique(table, axis=0, return_inverse=True)
    if len(patterns) < 2:
        return {}
    names = ["+".join(name for name, there in zip(present, row, strict=True) if there) or NOTHING for row in patterns]
    return {name: np.flatnonzero(which.ravel() == place) for place, name in enumerate(names)}


def by_class(column: str, values: NDArray[np.int64], present: NDArray[np.bool_], names: Sequence[str]) -> dict[str, Places]:
    """Rows by their class, called like `label=cat`; none where there are too many classes to tell apart."""
    if len(names) > MOST:
        return {}
    found = {f"{column}={name}": np.flatnonzero(present & (values == place)) for place, name in enumerate(names)}
    return {name: rows for name, rows in found.items() if len(rows)}


def of_each(groups: Mapping[str, Places], statistic: Callable[[Places], float]) -> dict[str, float]:
    """The statistic of the rows of each group."""
    return {name: statistic(rows) for name, rows in groups.items()}
