"""Models of every family over several signatures, and rows to ask of them: small, untrained, and awake in every layer."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from genwright.core.shapes import EOS, PAD, Label, Port, Shape, Signal, Signature, Tokens
from genwright.models.architectures.base import Architecture, Decodes, Denoises, build_model
from genwright.sampling.sampler import Ask

TEXT = Tokens(vocab=40, length=40)
CAPTION = Tokens(vocab=30, length=9)
LABEL = Label(classes=5)
PICTURE = Signal(channels=1, axes=(5, 5), over=("y", "x"))  # of odd sizes, which do not fill the vectors of a CPU
SQUARE = Signal(channels=3, axes=(8, 8), over=("y", "x"))
REFERENCE = Signal(channels=3, axes=(10, 8), over=("y", "x"))
LATENT = Signal(channels=2, axes=(4, 4), over=("y", "x"), bounded=False)


def signature(makes: Shape, **given: Shape) -> Signature:
    return Signature(makes=makes, given={name: Port(shape=shape, optional=True) for name, shape in given.items()})


CASES: dict[str, tuple[str, Signature]] = {
    "gpt": ("gpt", signature(TEXT)),
    "gpt-label": ("gpt", signature(TEXT, label=LABEL)),
    "seq2seq-caption": ("seq2seq", signature(TEXT, caption=CAPTION)),
    "seq2seq-label-picture": ("seq2seq", signature(TEXT, label=LABEL, picture=REFERENCE)),
    "diffusion": ("diffusion", signature(PICTURE)),
    "diffusion-label": ("diffusion", signature(PICTURE, label=LABEL)),
    "diffusion-latent-caption": ("diffusion", signature(LATENT, caption=CAPTION)),
    "diffusion-all": ("diffusion", signature(PICTURE, label=LABEL, mask=PICTURE, caption=CAPTION, picture=REFERENCE)),
    "gan": ("gan", signature(PICTURE)),
    "gan-label-caption": ("gan", signature(Signal(channels=3), label=LABEL, caption=CAPTION)),
    "dcgan-label": ("dcgan", signature(SQUARE, label=LABEL)),
    "resgan-label-mask": ("resgan", signature(SQUARE, label=LABEL, mask=SQUARE)),
    "dit-label-caption": ("dit", signature(SQUARE, label=LABEL, caption=CAPTION)),
    "dit-latent": ("dit", signature(LATENT)),
    "prior-caption": ("prior", signature(Signal(channels=6, bounded=False), caption=CAPTION)),
    "vae": ("vae", signature(PICTURE)),
    "vae-label-mask": ("vae", signature(PICTURE, label=LABEL, mask=PICTURE)),
}

TINY = {"width": 64, "depth": 2}
SIZES = {"gpt": TINY, "seq2seq": TINY, "dit": {"width": 64}, "prior": {"width": 64}}
TOKEN_OPTIONS: list[dict[str, Any]] = [
    {"beams": 1, "temperature": 1.0, "top_p": 1.0},
    {"beams": 1, "temperature": 0.0},
    {"beams": 3},
    {"beams": 1, "temperature": 1.3, "top_k": 5},
    {"beams": 1, "temperature": 0.8, "top_p": 0.7, "most": 9},
    {"beams": 2, "penalty": 0.5, "most": 6},
]
DENOISE_OPTIONS: list[dict[str, Any]] = [
    {"steps": 3},
    {"steps": 4, "guidance": 3.0},
    {"steps": 5, "sampler": "ddpm"},
    {"steps": 2, "sampler": "ddpm", "guidance": 2.0},
    {"steps": 5, "sampler": "dpm", "guidance": 2.0, "guided": (0.3, 0.7)},
    {"steps": 3, "sampler": "heun"},
]
EMIT_OPTIONS: list[dict[str, Any]] = [{}, {"temperature": 0.5}]


@cache
def model(case: str) -> Architecture:
    """Of fresh weights, those that begin at zero made random, so that every layer takes part."""
    family, its = CASES[case]
    torch.manual_seed(0)
    made = build_model(family, SIZES.get(family, {"width": 8}), its)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1 and not parameter.any():
                parameter.normal_(std=0.1)
    return made.eval()


def value(shape: Shape, random: torch.Generator) -> Tensor:
    """A row of a shape."""
    if isinstance(shape, Label):
        return torch.randint(shape.classes, (), generator=random)
    if isinstance(shape, Signal):
        return torch.rand(shape.dims, generator=random) * 2 - 1
    row = torch.randint(EOS + 1, shape.vocab, (shape.length,), generator=random)
    end = int(torch.randint(1, shape.length, (), generator=random))
    row[end], row[end + 1 :] = EOS, PAD
    return row


def distinct(rows: Tensor) -> int:
    """How many different rows there are."""
    return len({tuple(row.flatten().tolist()) for row in rows})


def ask(made: Architecture, number: int, **options: Any) -> Ask:
    """One of many rows: with other options, some with a start, some with a part of it kept, each lacking some givens."""
    random = torch.Generator().manual_seed(number)
    given = {name: value(port.shape, random) for name, port in made.signature.given.items() if number % 4 or name == "label"}
    start = keep = None
    kinds = EMIT_OPTIONS
    if isinstance(made, Decodes):
        kinds = TOKEN_OPTIONS
        if number % 3 == 1:
            start = torch.randint(EOS + 1, TEXT.vocab, (1 + 4 * number % 35,), generator=random)
    elif isinstance(made, Denoises):
        kinds = DENOISE_OPTIONS
        if number % 3 == 1:
            start = value(made.makes, random)
        if number % 6 == 1 and made.makes.axes:
            keep = (torch.rand(made.makes.axes, generator=random) > 0.5).float()
    return Ask((7, number), made.Options.model_validate(options or kinds[number % len(kinds)]), given, start, keep)
