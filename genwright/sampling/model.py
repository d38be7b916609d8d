"""A model to be used: generate, walk its latent space, write what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from genwright.core.durable import write_bytes
from genwright.core.errors import ModelError, Unreadable
from genwright.core.explain import explain
from genwright.core.shapes import NO_LABEL, Label, Signal, Tokens
from genwright.data.dataset import Batch, padded
from genwright.data.modalities.base import Modality
from genwright.evaluation.evaluand import decode, draw
from genwright.models import bundle
from genwright.models.architectures.base import HasLatent
from genwright.models.records import ModelVersion

MOST = 10_000  # samples a call


class Model:
    """A verified bundle, loaded. `version` says which registered version it is, where it is one."""

    def __init__(self, folder: Path, version: ModelVersion | None = None, device: str = "cpu") -> None:
        self.bundle, self.version, self.device = bundle.load(folder, device), version, device

    @property
    def content(self) -> Modality:
        return self.bundle.content

    def options(self, **given: Any) -> Any:
        """Sampling options: the recipe's, replaced by those given. Raises ModelError naming what is allowed."""
        kind = self.bundle.model.Options
        try:
            return kind.model_validate({**self.bundle.info.plan.sampling, **given})
        except ValidationError as error:
            allowed = ", ".join(f"{k} ({f.description})" if f.description else k for k, f in kind.model_fields.items())
            raise ModelError(
                f"{self.bundle.info.family} cannot sample that way.",
                got="; ".join(explain(error, kind)),
                allowed=allowed or "none",
            ) from error

    def generate(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        condition: str | Sequence[str] | None = None,
        prompt: str | None = None,
        **options: Any,
    ) -> list[Any]:
        """`n` values (pictures, texts); equal arguments give equal values.

        `condition`: a label or a text, or one for each sample; without it a labelled model goes through its labels in
        turn. `prompt`: the beginning of a text. Raises ModelError for anything the model cannot take.
        """
        if not 1 <= n <= MOST:
            raise ModelError("That many samples cannot be generated at once.", got=n, allowed=f"1 to {MOST:,}")
        prefix = None if prompt is None else self._prefix(prompt)
        given = self.options(**options)
        rows = draw(self.bundle.model, n, self._conditions(n, condition), given, seed, device=self.device, prefix=prefix)
        return decode(self.content, rows)

    def between(self, a: bytes, b: bytes, n: int = 8) -> list[Any]:
        """`n` values on the straight line between the latents of two files' contents, both ends included.

        Raises ModelError when the family has no latent space or a file is not of this kind.
        """
        model = self.bundle.model
        if not isinstance(model, HasLatent):
            raise ModelError(f"{self.bundle.info.family} has no latent space to walk.", do="use a version of family vae")
        try:
            ends = [self.content.encode(self.content.read(data)) for data in (a, b)]
        except Unreadable as error:
            raise ModelError("A file to walk between cannot be read.", got=error) from error
        content = torch.from_numpy(np.stack(ends))
        content = content.float() / 127.5 - 1 if content.dtype == torch.uint8 else content
        labels = None if model.condition is None else torch.full((2,), NO_LABEL)
        with torch.no_grad():
            start, end = model.latent(Batch(content.to(self.device), labels))
            steps = torch.linspace(0, 1, n, device=start.device)[:, None]
            walk = model.from_latent(start + steps * (end - start), None)
        return decode(self.content, walk.cpu())

    def save(self, values: Sequence[Any], out: Path, stem: str = "sample") -> list[Path]:
        """One file a value, `STEM-0000.SUFFIX`; returns the paths."""
        paths = [out / f"{stem}-{place:04d}{self.content.suffix}" for place in range(len(values))]
        for path, value in zip(paths, values, strict=True):
            write_bytes(path, self.content.write(value))
        return paths

    def _conditions(self, n: int, given: str | Sequence[str] | None) -> Tensor | None:
        shape, modality = self.bundle.model.condition, self.bundle.condition
        if shape is None or modality is None:
            if given is not None:
                raise ModelError("This model takes no condition.", got=given, do="leave it out")
            return None
        if given is None:
            if isinstance(shape, Label):
                return torch.arange(n) % shape.classes
            raise ModelError("This model needs a condition.", do="give the text to answer, e.g. --condition 'In the beginning'")
        texts = [given] if isinstance(given, str) else list(given)
        try:
            rows = [torch.as_tensor(modality.encode(modality.read(text.encode()))) for text in texts]
        except Unreadable as error:
            raise ModelError("The condition cannot be read.", got=texts, allowed=error) from error
        if isinstance(shape, Tokens):
            rows = [torch.from_numpy(padded(row.numpy(), shape.length, begin=False)) for row in rows]
        if isinstance(shape, Label) and any(int(row) == NO_LABEL for row in rows):
            raise ModelError("The model knows no such label.", got=texts, allowed=getattr(modality, "labels", None))
        return torch.stack([rows[i % len(rows)] for i in range(n)])

    def _prefix(self, prompt: str) -> Tensor:
        if isinstance(self.bundle.model.content, Signal):
            raise ModelError("This model makes no text, so it takes no prompt.", got=prompt)
        try:
            tokens = self.content.encode(self.content.read(prompt.encode()))
        except Unreadable as error:
            raise ModelError("The prompt cannot be read.", got=prompt, allowed=error) from error
        return torch.from_numpy(tokens.astype(np.int64))[None]
