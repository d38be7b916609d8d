"""The code that MLflow logs beside a model: `mlflow.pyfunc.load_model` and `mlflow models serve` answer through it.

It holds no weights and no pickle; the bundle beside it is verified and built by Genwright's own registry.
"""

from __future__ import annotations

import base64
import json
import mimetypes
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Generator(PythonModel):
    """Samples on request. A row of the input asks for `n` samples; its columns `condition` (a label or a text) and
    `prompt` (the beginning of a text) may be empty. A row of the answer is one sample: `row` it was asked by,
    `media_type`, and `content`, text as it is and anything else in base64."""

    def load_context(self, context):  # type: ignore[no-untyped-def]
        from pathlib import Path

        from genwright.sampling.model import Model

        self.model = Model(Path(context.artifacts["bundle"]))

    def predict(self, context, model_input: pd.DataFrame, params=None):  # type: ignore[no-untyped-def]
        given = {"n": 1, "seed": 0, "options": "{}", **(params or {})}
        answer: list[dict[str, Any]] = []
        rows = model_input.astype(object).where(model_input.notna(), None).to_dict("records")
        for row, asked in enumerate(rows):
            values = self.model.generate(
                int(given["n"]),
                seed=int(given["seed"]),
                condition=asked.get("condition") or None,
                prompt=asked.get("prompt") or None,
                **json.loads(given["options"]),
            )
            answer += [{"row": row, **self._file(value)} for value in values]
        return pd.DataFrame(answer)

    def _file(self, value: Any) -> dict[str, str]:
        data = self.model.content.write(value)
        media_type = mimetypes.guess_type(f"sample{self.model.content.suffix}")[0] or "text/plain"
        text = media_type.startswith("text/")
        return {"media_type": media_type, "content": data.decode() if text else base64.b64encode(data).decode()}


set_model(Generator())
