"""Codes of a codec: whitened, and back again."""

from __future__ import annotations

import json

import pytest
import torch

from genwright.core.errors import DataError, ModelError
from genwright.core.shapes import Label, Signal, Tokens
from genwright.data.derivations.base import Derivation, Encoder, derivations
from tests.data.derivations.made import Codec, derivation, digits, draws, values

PICTURE = Signal(channels=1, axes=(8, 6), over=("y", "x"))


def batches(sizes: tuple[int, ...] = (50, 1, 29)) -> list[list[torch.Tensor]]:
    return [[values(PICTURE, size, seed)] for seed, size in enumerate(sizes)]


def fitted(column: str = "content") -> Derivation:
    one = derivation("encoded", by="codec", column=column)
    one.fit(batches())
    return one


def test_codes_of_the_training_items_have_mean_0_and_deviation_1() -> None:
    """However they come in batches, and though channels differ a hundredfold."""
    one = fitted()
    code = torch.cat([one.derive(batch, draws(len(batch[0])))[""] for batch in batches()])
    assert code.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert torch.allclose(code.std(dim=(0, 2, 3), correction=0), torch.ones(2), atol=1e-4)
    whole = derivation("encoded", by="codec")
    whole.fit([[torch.cat([batch[0] for batch in batches()])]])
    for key, numbers in whole.state().items():
        assert one.state()[key] == pytest.approx(numbers, rel=1e-5)


def test_the_way_back_is_the_codecs() -> None:
    one, codec, pictures = fitted(), Codec(), digits(20, 8)[..., :6]
    back = one.back(one.derive([pictures], draws(20))[""])
    assert torch.allclose(back, codec.decode("content", codec.encode("content", pictures)), atol=1e-5)


def test_a_latent_is_unbounded_and_keeps_its_axes() -> None:
    class Bounded(Codec):
        codes = {"content": Signal(channels=2, axes=(4, 3), over=("y", "x"))}

    kind = derivations.get("encoded")
    for codec in (Codec(), Bounded()):
        one = kind(kind.Options.model_validate({"by": "codec"}), codec)
        assert one.shapes([PICTURE]) == {"": Signal(channels=2, axes=(4, 3), over=("y", "x"), bounded=False)}


def test_a_vector_is_whitened_number_by_number() -> None:
    one = fitted("style")
    assert one.shapes([PICTURE]) == {"": Signal(channels=3, bounded=False)}
    code = torch.cat([one.derive(batch, draws(len(batch[0])))[""] for batch in batches()])
    assert torch.allclose(code.std(dim=0, correction=0), torch.ones(3), atol=1e-4)
    with pytest.raises(ModelError, match="no way back"):
        one.back(code)


def test_tokens_and_labels_stay_as_they_are() -> None:
    for column, shape in (("caption", Tokens(vocab=40, length=12)), ("parity", Label(classes=4))):
        one, given = derivation("encoded", by="codec", column=column), values(shape, 9)
        one.fit([[given]])
        assert one.state() == {}
        assert one.shapes([shape])[""] == Codec.codes[column]
        assert torch.equal(one.derive([given], draws(9))[""], Codec().encode(column, given))


def test_what_was_learned_is_kept_to_the_bit() -> None:
    one, other = fitted(), derivation("encoded", by="codec")
    other.load(json.loads(json.dumps(one.state())))
    assert other.state() == one.state()
    assert torch.equal(other.back(torch.ones(1, 2, 4, 3)), one.back(torch.ones(1, 2, 4, 3)))


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"mean": [0.0, 0.0]},
        {"mean": [0.0], "deviation": [1.0]},
        {"mean": [0.0, float("nan")], "deviation": [1.0, 1.0]},
        {"mean": [0.0, 0.0], "deviation": [1.0, 0.0]},
    ],
    ids=["nothing", "half", "of another codec", "no number", "no spread"],
)
def test_what_was_learned_of_other_codes_is_refused(state: dict[str, list[float]]) -> None:
    with pytest.raises(DataError, match="does not fit"):
        derivation("encoded", by="codec").load(state)


def test_a_channel_that_never_changes_does_no_harm() -> None:
    one = derivation("encoded", by="codec")
    one.fit([[torch.full((8, 1, 8, 6), 0.25)]])
    code = one.derive([torch.full((2, 1, 8, 6), 0.25)], draws(2))[""]
    assert code.abs().max() < 0.1


def test_what_goes_wrong_is_said() -> None:
    with pytest.raises(ModelError, match="does not encode 'picture'"):
        derivation("encoded", by="codec", column="picture").shapes([PICTURE])
    kind = derivations.get("encoded")
    with pytest.raises(ModelError, match="'codec' that encodes is not at hand"):
        kind(kind.Options.model_validate({"by": "codec"})).shapes([PICTURE])
    with pytest.raises(ModelError, match="not learned yet"):
        derivation("encoded", by="codec").derive(batches()[0], draws(50))
    with pytest.raises(DataError, match="No training item"):
        derivation("encoded", by="codec").fit([])
    with pytest.raises(ModelError, match="another size"):
        fitted().derive([torch.zeros(1, 1, 16, 12)], draws(1))
    with pytest.raises(ModelError, match="no number"):
        derivation("encoded", by="codec").fit([[torch.full((2, 1, 8, 6), torch.inf)]])


def test_models_of_the_library_are_encoders() -> None:
    """The protocol of this room is the one that families keep."""
    from genwright.core.shapes import Signature
    from genwright.models.architectures.base import architectures, build_model

    family, signature = architectures.get("vae"), Signature(makes=Signal(channels=1, axes=(8, 8), over=("y", "x")))
    torch.manual_seed(0)
    model = build_model("vae", family.sized(signature, 0.125).model_dump(mode="json"), signature).eval()
    codec: Encoder = model  # type: ignore[assignment]
    kind = derivations.get("encoded")
    one, pictures = kind(kind.Options.model_validate({"by": "vae"}), codec), digits(32, 8)
    one.fit([[pictures]])
    code = one.derive([pictures], draws(32))[""]
    assert not code.requires_grad
    assert code.shape[1:] == one.shapes([signature.makes])[""].dims  # type: ignore[list-item, union-attr]
    assert torch.allclose(one.back(code), codec.decode("content", codec.encode("content", pictures)), atol=1e-4)
