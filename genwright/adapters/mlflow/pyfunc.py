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
    """Samples on request. A row of the input asks for `n` samples; its columns are the model's inputs, each of which may be
    empty: a label or text as it is, a file in base64. A row of the answer is one sample: `row` it was asked by,
    `media_type`, and `content`, text as it is and anything else in base64."""

    def load_context(self, context):  # type: ignore[no-untyped-def]
        from pathlib import Path

        from genwright.models.composition import pinned
        from genwright.sampling.model import Model

        folder, uses = Path(context.artifacts["bundle"]), {}
        if pinned(folder):  # the versions it is made of are in the workspace's registry
            from genwright.adapters.mlflow.versions import Versions
            from genwright.core.workspace import Workspace

            uses = Versions(Workspace()).pins(folder)
        self.model = Model(folder, uses=uses)

    def predict(self, context, model_input: pd.DataFrame, params=None):  # type: ignore[no-untyped-def]
        given = {"n": 1, "seed": 0, "options": "{}", **(params or {})}
        answer: list[dict[str, Any]] = []
        rows = model_input.astype(object).where(model_input.notna(), None).to_dict("records")
        for row, asked in enumerate(rows):
            values = self.model.generate(
                int(given["n"]),
                seed=int(given["seed"]),
                give={name: self._read(name, value) for name, value in asked.items() if value and name in self.inputs},
                **json.loads(given["options"]),
            )
            answer += [{"row": row, **self._file(value)} for value in values]
        return pd.DataFrame(answer)

    @property
    def inputs(self) -> set[str]:
        return {one.name for one in self.model.describe.inputs}

    def _read(self, name: str, value: str) -> str | bytes:
        """What is given: the bytes of a file where the input is one."""
        one = self.model.describe.input(name)
        assert one is not None
        return base64.b64decode(value) if one.shape.kind == "signal" and one.read_as else value

    def _file(self, value: Any) -> dict[str, str]:
        data = self.model.content.write(value)
        media_type = mimetypes.guess_type(f"sample{self.model.content.suffix}")[0] or "text/plain"
        text = media_type.startswith("text/")
        return {"media_type": media_type, "content": data.decode() if text else base64.b64encode(data).decode()}


set_model(Generator())
