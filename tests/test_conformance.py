"""Every registered part goes through the same checks. A new file is tested by being there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from genwright.core.batch import Batch, Given
from genwright.core.record import Part
from genwright.core.shapes import EOS, PAD, Label, Signal, Signature, Tokens
from genwright.core.workspace import Settings, Workspace
from genwright.data.dataset import Dataset
from genwright.data.derivations.base import derivations
from genwright.data.filters.base import filters
from genwright.data.modalities.base import Modality, build, decode, modalities
from genwright.data.readers.base import readers
from genwright.data.sources.base import sources
from genwright.data.view import Derived, View, Wanted
from genwright.evaluation.evaluate import evaluand
from genwright.evaluation.metrics.base import metrics
from genwright.models import bundle, cost
from genwright.models.architectures.base import Architecture, Denoises, architectures, build_model
from genwright.models.derive import DeriveSpec, derive
from genwright.models.device import prepare
from genwright.models.records import Used
from genwright.sampling.model import Model
from genwright.sampling.sampler import Ask, drawn
from genwright.training.fit import Fit
from genwright.triggers.base import triggers
from tests import made
from tests.workspaces import scratch

IMAGE = {"size": [8, 8], "channels": 1}
TEXT = {"vocab": 300, "length": 32}
SMALL = {"image": IMAGE, "text": TEXT, "code": TEXT}
PICTURES = {"larger": {"size": [16, 16], "channels": 3}, "clear": {"size": [8, 8], "channels": 4}}  # `clear`: transparency
GIVEN = {
    "label": Part(kind="label"),
    "caption": Part(kind="text", options=TEXT),
    "beside": Part(kind="image", options=IMAGE),  # on the grid of what is made
    "reference": Part(kind="image", options={"size": [12, 10], "channels": 3}),  # on one of its own
}
CASES = {  # the kind of content, and what is given with it
    "image": ("image", ()),
    "image-larger": ("larger", ()),
    "image-clear": ("clear", ()),
    "image-label": ("image", ("label",)),
    "image-caption": ("image", ("caption",)),
    "image-label-beside": ("image", ("label", "beside")),
    "image-all": ("image", tuple(GIVEN)),
    "text": ("text", ()),
    "text-label": ("text", ("label",)),
    "text-caption": ("text", ("caption",)),
    "text-label-reference": ("text", ("label", "reference")),
}
CODE = Derived(part=Part(kind="encoded", options={"by": "clip", "column": "content"}), of=["content"])
LATENTS = Derived(part=Part(kind="encoded", options={"by": "vae"}), of=["content"])
CODES = {"code": ("clip", "pair", CODE), "latents": ("vae", "image-caption", LATENTS)}  # by whom, and what that has learned
ENCODER: dict[str, dict[str, int]] = {"clip": {}, "vae": {"spatial": 1}}
KNOWN = Derived(part=Part(kind="masked"), of=["content"])
ALTERED = Derived(part=Part(kind="augmented", options={"shift": 0.2}), of=["content"])
SEEN = {"content": Wanted(), "label": Wanted(optional=True)}
VIEWS = {  # what else can be learned of the data of a case
    "pair": ("image-caption", View(makes=None, given={"content": Wanted(), "caption": Wanted(optional=True)})),
    "code-caption": (
        "image-caption",
        View(makes="code", given={"caption": Wanted(optional=True)}, derived={"code": CODE}),
    ),
    "latents-caption": (
        "image-caption",
        View(makes="latents", given={"caption": Wanted(optional=True)}, derived={"latents": LATENTS}),
    ),
    "masked": (
        "image-label",
        View(makes="content", given={"known": Wanted(drop=0.5), "known_mask": Wanted(drop=0.5)}, derived={"known": KNOWN}),
    ),
    "classes": ("image-label", View(makes=None, given=SEEN)),
    "classes-altered": (
        "image-label",
        View(makes=None, given={**SEEN, "altered": Wanted()}, derived={"altered": ALTERED}),
    ),
}


@cache
def data_of(case: str) -> Dataset:
    """The tiny data set of a case, made once; every third item lacks one of its givens."""
    if case in VIEWS:
        of, view = VIEWS[case]
        return Dataset(data_of(of).folder, view, encoded(view.makes) if view.makes in CODES else None)
    folder = scratch() / case
    kind, given = CASES[case]
    lack = {name: 3 + place for place, name in enumerate(given)}
    content = Part(kind="image", options=PICTURES[kind]) if kind in PICTURES else Part(kind=kind, options=SMALL[kind])
    return made.dataset(folder, content, lack=lack, **{name: GIVEN[name] for name in given})


@cache
def encoded(column: str) -> Path:
    """The folder of derived columns with what an untrained model makes of every picture."""
    name, case, derived = CODES[column]
    data, workspace = data_of(case), Workspace(scratch())
    weights = bundle.save(workspace.root / name, tiny(name, data, **ENCODER[name]), data, plan=made.plan(data, name), data="d")
    shutil.copytree(data.folder, workspace.clean("recipe"))
    by = Used(model=name, version=1, weights=weights)
    derive(
        DeriveSpec(recipe="recipe", column=column, derived=derived, by=by, bundle=name),
        workspace,
        workspace.derived("recipe") / column,
        torch.device("cpu"),
    )
    return workspace.derived("recipe")


def given_in(case: str) -> bool:
    return bool(data_of(case).signature.given)


def accepted() -> list[tuple[str, str]]:
    """Every family with every case whose signature it accepts."""
    return [
        (name, case)
        for case in (*CASES, *VIEWS)
        for name, family in architectures.all().items()
        if family.accepts(data_of(case).signature) is None
    ]


def tiny(name: str, data: Dataset, **config: int) -> Architecture:
    sized = architectures.get(name).sized(data.signature, 0.125)
    torch.manual_seed(0)
    return build_model(name, sized.model_dump(mode="json") | config, data.signature)


ACCEPTED = pytest.mark.parametrize(("name", "case"), accepted())
MAKING = pytest.mark.parametrize(("name", "case"), [(n, c) for n, c in accepted() if data_of(c).signature.makes is not None])


def test_every_family_accepts_something() -> None:
    assert {name for name, _ in accepted()} == set(architectures.all())


@pytest.mark.parametrize("name", list(architectures.all()))
def test_a_family_refuses_with_a_reason(name: str) -> None:
    family = architectures.get(name)
    makes = (Signal(channels=1, axes=(8,), over=("point",)), Label(classes=2), Tokens(vocab=10, length=8), None)
    answers = [family.accepts(Signature(makes=shape)) for shape in makes]
    assert any(isinstance(answer, str) and answer for answer in answers)


@ACCEPTED
def test_the_loss_falls(name: str, case: str, settings: Settings) -> None:
    """Every player's loss is finite with finite gradients; what a single player minimises falls on one batch."""
    data = data_of(case)
    prepare(settings)
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
        for _ in range(40):
            optimizer.zero_grad()
            torch.manual_seed(0)
            loss = model.loss(batch, "model")
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0] - 0.02


@MAKING
def test_samples_have_the_shape_and_decode(name: str, case: str, settings: Settings) -> None:
    data = data_of(case)
    model = tiny(name, data)
    subject = evaluand(model, data, side="test", count=5, sampling={}, seed=3, device="cpu")
    samples = subject.samples
    if isinstance(model.makes, Signal):
        assert samples.shape == (5, *model.makes.dims)
        assert samples.dtype == torch.float32
        assert samples.abs().max() <= 1 or not model.makes.bounded
    elif isinstance(model.makes, Tokens):
        assert samples.shape == (5, model.makes.length)
        for row in samples:
            ends = (row == EOS).nonzero()
            assert not len(ends) or (row[int(ends[0]) + 1 :] == PAD).all()
    if data.view.makes == "content":
        assert len(decode(data.modalities["content"], samples)) == 5
    assert torch.equal(samples, drawn(model, subject.asks, 5))
    others = [Ask((4, *ask.key[1:]), ask.options, ask.given) for ask in subject.asks]
    assert not torch.equal(samples, drawn(model, others, 5)) or name == "seq2seq"


@ACCEPTED
def test_trained_stopped_resumed_saved_and_loaded(name: str, case: str, tmp_path: Path, settings: Settings) -> None:
    """A stopped run ends with the bits of an unbroken one, and the bundle gives the same model back."""
    data = data_of(case)
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
    if data.view.makes != "content":
        return
    there = Model(tmp_path / "whole" / "bundle")
    values = there.generate(2, seed=1)
    assert all(np.array_equal(one, same) for one, same in zip(values[:1], there.generate(1, seed=1), strict=True))
    files = there.save(values, tmp_path / "out")
    assert all(f.stat().st_size >= 0 for f in files)


@ACCEPTED
def test_the_cost_is_known_beforehand(name: str, case: str) -> None:
    """Parameters to the number; more items take more memory; a larger dial costs more."""
    signature, family = data_of(case).signature, architectures.get(name)
    small, large = (family.sized(signature, dial).model_dump(mode="json") for dial in (0.125, 1.0))
    one = cost.estimate(name, small, signature, 8)
    assert one.parameters == sum(p.numel() for p in tiny(name, data_of(case)).parameters())
    assert one.flops_per_item > 0
    assert cost.estimate(name, small, signature, 16).memory_bytes > one.memory_bytes
    assert cost.estimate(name, large, signature, 8).parameters > one.parameters


@ACCEPTED
def test_whatever_is_given_may_be_missing_and_makes_a_difference(name: str, case: str) -> None:
    """A row that lacks a given is one that was never given it, whatever stands in its place; and what is given enters."""
    data = data_of(case)
    model = tiny(name, data).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # so that no way begins closed
            parameter.add_(0.02 * torch.randn_like(parameter))
    full = data.train.batch(8, 0, 0)
    for player in model.players:
        for lacking in full.given:
            present = torch.zeros(8, dtype=torch.bool)
            odd = {**full.given, lacking: Given(full.given[lacking].value, present)}
            none = {key: one for key, one in full.given.items() if key != lacking}
            losses = []
            for given in (odd, none, {**full.given, lacking: Given.all(full.given[lacking].value)}):
                torch.manual_seed(0)
                losses.append(model.loss(Batch(full.content, given), player).item())
            assert losses[0] == losses[1]
            assert losses[2] != losses[0]


@pytest.mark.parametrize(("name", "case"), [(n, c) for n, c in accepted() if given_in(c)])
def test_guidance_is_the_same_call_with_nothing_given(name: str, case: str) -> None:
    """Where a family removes noise, guidance 1 is the model as it is, and more moves away from what it makes of nothing."""
    data = data_of(case)
    model = tiny(name, data).eval()
    if not isinstance(model, Denoises):
        pytest.skip("it does not remove noise")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    given = {key: one.value[0] for key, one in data.train.items(np.arange(1)).given.items()}
    made_of = {}
    for told, options, rows in (("plain", {}, given), ("guided", {"guidance": 4.0}, given), ("free", {"guidance": 4.0}, {})):
        made_of[told] = drawn(model, [Ask((1,), model.Options.model_validate({"steps": 4, **options}), rows)], 1)
    assert not torch.equal(made_of["plain"], made_of["guided"])
    assert torch.equal(made_of["free"], drawn(model, [Ask((1,), model.Options.model_validate({"steps": 4}))], 1))


@pytest.mark.parametrize("name", list(metrics.all()))
def test_a_measure_holds_its_own_value(name: str) -> None:
    """Each measure applies to some family, is finite, lies in its interval, and comes out the same again."""
    taken = 0
    for case, family in {case: family for family, case in reversed(accepted())}.items():  # of each case the first family
        data = data_of(case)
        count = max(24, metrics.get(name).samples)
        model = tiny(family, data).eval()
        few = {"steps": 4} if isinstance(model, Denoises) else {}
        subject = evaluand(model, data, side="test", count=count, sampling=few, seed=1, device="cpu")
        if case == "image-caption":
            subject = replace(subject, judges={"judge": tiny("clip", data_of("pair")).eval()})
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
        assert array is not None
        assert np.array_equal(array, modality.encode(value))
        if isinstance(loaded.shape, Signal):
            assert array.shape == loaded.shape.dims
            array = array.astype(np.float32) / 127.5 - 1 if array.dtype == np.uint8 else array
        back = loaded.read(loaded.write(loaded.decode(array)))
        assert np.array_equal(loaded.encode(back), loaded.encode(value))
    if name != "label":
        plain = loaded.preview(values[:3], tmp_path / "preview.png").read_bytes()
        assert plain
        assert loaded.preview(values[:3], tmp_path / "preview.png", ["", "asked", ""]).read_bytes() != plain


@pytest.mark.parametrize("name", list(modalities.all()))
def test_a_kind_of_content_refuses_what_it_is_not(name: str) -> None:
    from genwright.core.errors import Unreadable

    modality: Modality = build(Part(kind=name, options=SMALL.get(name, {})))
    with pytest.raises(Unreadable):
        modality.read(b"\xff\xfe\x00\x00\x89PNG\r\n\x1a\n\x00\x00broken")


@pytest.mark.parametrize(
    "registry", [sources, readers, filters, modalities, derivations, architectures, metrics, triggers], ids=lambda r: r.room
)
def test_parts_say_who_they_are(registry: object) -> None:
    for name, part in registry.all().items():  # type: ignore[attr-defined]
        assert part.name == name
        assert part.__doc__
        options = getattr(part, "Options", None)
        if options is not None and registry is not metrics:
            assert options.model_config.get("extra") == "forbid"
