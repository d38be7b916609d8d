"""Would this model serve? A real, tiny inference before anything depends on it."""

from __future__ import annotations

from pathlib import Path

from genwright.core.errors import ModelError
from genwright.sampling.model import Model


def rehearse(folder: Path) -> None:
    """Load a bundle, draw one sample and write it as a file. Raises ModelError when any of it fails."""
    model = Model(folder)
    try:
        values = model.generate(1, give=model.example())
        model.content.write(values[0])
    except (RuntimeError, ValueError) as error:
        raise ModelError("The model loads but does not sample.", got=error, do="use another version") from error
