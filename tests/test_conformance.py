"""Every registered part goes through the same checks. A new file is tested by being there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
import torch

from genwright.core.record import Part
from genwright.core.shapes import EOS, PAD, Label, Signal, Tokens
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.data.filters.base import filters
from genwright.data.modalities.base import Modality, build, decode, modalities
from genwright.data.sources.base import sources
from genwright.evaluation.evaluand import draw
from genwright.evaluation.evaluate import evaluand
from genwright.evaluation.metrics.base import metrics
from genwright.models import bundle, cost
from genwright.models.architectures.base import Architecture, architectures, build_model
from genwright.models.device import choose
from genwright.sampling.model import Model
from genwright.training.fit import Fit
from genwright.triggers.base import triggers
from tests import made

SMALL = {"image": {"size": [8, 8], "channels": 1}, "text": {"vocab": 300, "length": 32}, "code": {"vocab": 300, "length": 32}}
PAIRS = [("image", None), ("image", "label"), ("text", None), ("text", "text")]


@cache
def data_of(content: str, condition: str | None) -> Dataset:
    """The tiny data set of a pair of modalities, made once."""
    folder = Path(mkdtemp(prefix="genwright-conformance-")) / "data"
    parts = [Part(kind=kind, options=SMALL.get(kind, {})) for kind in (content, condition) if kind]
    return made.dataset(folder, *parts)


def accepted() -> list[tuple[str, str, str | None]]:
    """Every family with every pair of modalities whose shapes it accepts."""
    found = []
    for content, condition in PAIRS:
        contents = data_of(content, condition).contents
        for name, family in architectures.all().items():
            if family.accepts(contents.content, contents.condition) is None:
                found.append((name, content, condition))
    return found


def tiny(name: str, data: Dataset) -> Architecture:
    contents = data.contents
    config = architectures.get(name).sized(contents.content, contents.condition, 0.125)
    torch.manual_seed(0)
    return build_model(name, config.model_dump(mode="json"), contents.content, contents.condition)


CASES = pytest.mark.parametrize(("name", "content", "condition"), accepted())


def test_every_family_accepts_something() -> None:
    assert {name for name, _, _ in accepted()} == set(architectures.all())


@pytest.mark.parametrize("name", list(architectures.all()))
def test_a_family_refuses_with_a_reason(name: str) -> None:
    family = architectures.get(name)
    answers = [
        family.accepts(content, condition)
        for content in (Signal(channels=1, axes=(8,)), Label(classes=2), Tokens(vocab=10, length=8))
        for condition in (None, Signal(channels=1, axes=(8, 8)), Tokens(vocab=10, length=8))
    ]
    assert any(isinstance(answer, str) and answer for answer in answers)


@CASES
def test_the_loss_falls(name: str, content: str, condition: str | None, settings: Settings) -> None:
    """Every player's loss is finite with finite gradients; what a single player minimises falls on one batch."""
    data = data_of(content, condition)
    choose(settings)
    model = tiny(name, data)
    batch = data.train.batch(16, 0, 0)
    for player in model.players:
        loss = model.loss(batch, player)
        assert loss.shape == ()
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad for p in model.player(player).parameters() if p.grad is not None]
        assert gradients
        assert all(torch.isfinite(g).all() for g in gradients)
    if model.players == ("model",):
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        losses = []
        for _ in range(60):
            optimizer.zero_grad()
            torch.manual_seed(0)
            loss = model.loss(batch, "model")
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0] - 0.02


@CASES
def test_samples_have_the_shape_and_decode(name: str, content: str, condition: str | None, settings: Settings) -> None:
    data = data_of(content, condition)
    model = tiny(name, data)
    subject = evaluand(model, data, side="test", count=5, sampling={}, seed=3, device="cpu")
    samples = subject.samples
    if isinstance(model.content, Signal):
        assert samples.shape == (5, *model.content.dims)
        assert samples.dtype == torch.float32
        assert samples.abs().max() <= 1
    elif isinstance(model.content, Tokens):
        assert samples.shape == (5, model.content.length)
        for row in samples:
            ends = (row == EOS).nonzero()
            assert not len(ends) or (row[int(ends[0]) + 1 :] == PAD).all()
    values = decode(build(data.contents.content_part, data.folder / "content"), samples)
    assert len(values) == 5
    again = draw(model, 5, subject.conditions, subject.options, 3)
    assert torch.equal(samples, again)
    assert not torch.equal(samples, draw(model, 5, subject.conditions, subject.options, 4)) or name == "seq2seq"


@CASES
def test_trained_stopped_resumed_saved_and_loaded(
    name: str, content: str, condition: str | None, tmp_path: Path, settings: Settings
) -> None:
    """A stopped run ends with the bits of an unbroken one, and the bundle gives the same model back."""
    data = data_of(content, condition)
    plan = made.plan(data, name, steps=6, evaluate_every=3, samples=8)
    whole = Fit(data, plan, tmp_path / "whole", settings, data="d")
    assert sum(1 for _ in whole) == 6
    part = iter(Fit(data, plan, tmp_path / "part", settings, data="d"))
    for _ in range(4):
        next(part)
    part.close()  # type: ignore[attr-defined]
    rest = Fit(data, plan, tmp_path / "part", settings, data="d")
    assert sum(1 for _ in rest) == 2
    assert rest.result.weights == whole.result.weights
    loaded = bundle.load(tmp_path / "whole" / "bundle")
    assert loaded.weights == whole.result.weights
    for key, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[key])
    given = "to be" if condition == "text" else None
    values = Model(tmp_path / "whole" / "bundle").generate(2, seed=1, condition=given)
    files = Model(tmp_path / "whole" / "bundle").save(values, tmp_path / "out")
    assert all(f.stat().st_size >= 0 for f in files)


@CASES
def test_the_cost_is_known_beforehand(name: str, content: str, condition: str | None) -> None:
    """Parameters to the number; more items take more memory; a larger dial costs more."""
    contents = data_of(content, condition).contents
    family = architectures.get(name)
    small, large = (family.sized(contents.content, contents.condition, dial).model_dump(mode="json") for dial in (0.125, 2.0))
    one = cost.estimate(name, small, contents.content, contents.condition, 8)
    assert one.parameters == sum(p.numel() for p in tiny(name, data_of(content, condition)).parameters())
    assert one.flops_per_item > 0
    assert cost.estimate(name, small, contents.content, contents.condition, 16).memory_bytes > one.memory_bytes
    assert cost.estimate(name, large, contents.content, contents.condition, 8).parameters > one.parameters


@pytest.mark.parametrize("name", list(metrics.all()))
def test_a_measure_holds_its_own_value(name: str) -> None:
    """Each measure applies to some family, is finite, lies in its interval, and comes out the same again."""
    taken = 0
    for family, content, condition in accepted():
        data = data_of(content, condition)
        subject = evaluand(tiny(family, data), data, side="test", count=24, sampling={}, seed=1, device="cpu")
        metric = metrics.get(name)()
        if metric.applies(subject) is not None:
            continue
        with torch.no_grad():
            first, second = metric.measure(subject), metric.measure(subject)
        assert np.isfinite(first.value)
        assert first.low <= first.value <= first.high
        assert first == second
        assert metric.explain.endswith(".")
        taken += 1
    assert taken, f"{name} applies to nothing"


@pytest.mark.parametrize("name", list(modalities.all()))
def test_a_kind_of_content_goes_there_and_back(name: str, tmp_path: Path) -> None:
    modality = build(Part(kind=name, options=SMALL.get(name, {})))
    files = type(modality).fixture(24)
    assert len(set(files)) == (24 if name != "label" else len(set(files)))
    values = [modality.read(f) for f in files]
    assert all(modality.keep(v) is None for v in values)
    modality.fit(values)
    modality.save(tmp_path)
    loaded = build(Part(kind=name, options=SMALL.get(name, {})), tmp_path)
    assert loaded.shape == modality.shape
    for value in values:
        array = loaded.encode(value)
        assert np.array_equal(array, modality.encode(value))
        if isinstance(loaded.shape, Signal):
            assert array.shape == loaded.shape.dims
            array = array.astype(np.float32) / 127.5 - 1 if array.dtype == np.uint8 else array
        back = loaded.read(loaded.write(loaded.decode(array)))
        assert np.array_equal(loaded.encode(back), loaded.encode(value))
    if name != "label":
        assert loaded.preview(values[:9], tmp_path / "preview.png").stat().st_size > 0


@pytest.mark.parametrize("name", list(modalities.all()))
def test_a_kind_of_content_refuses_what_it_is_not(name: str) -> None:
    from genwright.core.errors import Unreadable

    modality: Modality = build(Part(kind=name, options=SMALL.get(name, {})))
    with pytest.raises(Unreadable):
        modality.read(b"\xff\xfe\x00\x00\x89PNG\r\n\x1a\n\x00\x00broken")


@pytest.mark.parametrize("registry", [sources, filters, modalities, architectures, metrics, triggers], ids=lambda r: r.room)
def test_parts_say_who_they_are(registry: object) -> None:
    for name, part in registry.all().items():  # type: ignore[attr-defined]
        assert part.name == name
        assert part.__doc__
        options = getattr(part, "Options", None)
        if options is not None and registry is not metrics:
            assert options.model_config.get("extra") == "forbid"
