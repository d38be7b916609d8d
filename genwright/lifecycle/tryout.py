"""Would this model serve? A real, tiny inference before anything depends on it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

from genwright.core.errors import ModelError
from genwright.sampling.model import Model
from genwright.sampling.wish import Doubt


def rehearse(folder: Path, uses: Mapping[str, Path] | None = None) -> None:
    """Load what lies in a folder, draw one sample and write it as a file. `uses`: where the versions lie that it pins.
    Raises ModelError when any of it fails."""
    model = Model(folder, uses=uses)
    try:
        with warnings.catch_warnings(action="ignore", category=Doubt):  # of what is made up
            values = model.generate(1, give=model.example())
        model.content.write(values[0])
    except (RuntimeError, ValueError) as error:
        raise ModelError("The model loads but does not sample.", got=error, do="use another version") from error
