"""Pictures: exact round trips, sizes and colours, and files that lie."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image as Pictures
from pydantic import ValidationError

from genwright.core.errors import Unreadable
from genwright.core.record import Part
from genwright.data.modalities.base import build, modalities


def image(**options: Any) -> Any:
    return build(Part(kind="image", options=options))


def encoded(picture: Pictures.Image, format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format=format, **options)
    return out.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header promises side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint8, st.sampled_from([(8, 8), (8, 8, 3)])))
def test_a_picture_of_the_right_size_goes_there_and_back_bit_by_bit(picture: NDArray[np.uint8]) -> None:
    modality = image(size=[8, 8], channels=3 if picture.ndim == 3 else 1)
    assert np.array_equal(modality.read(modality.write(picture)), picture)
    array = modality.encode(picture)
    assert array.shape == modality.shape.dims
    assert np.array_equal(modality.decode(array.astype(np.float32) / 127.5 - 1), picture)


def test_what_a_model_overdoes_is_clipped() -> None:
    decoded = image(size=[1, 4], channels=1).decode(np.array([[[-9, 1, 7, 0]]], dtype=np.float32))
    assert decoded.tolist() == [[0, 255, 255, 128]]


@pytest.mark.parametrize(("levels", "kind"), [(255, np.int32), (65535, np.int32), (65535, np.uint16), (200, np.uint16)])
def test_many_bits_are_brought_to_eight(levels: int, kind: type) -> None:
    """A TIFF of 32-bit integers is not black because its levels are those of 8 bits."""
    tiff = io.BytesIO()
    ramp = np.linspace(0, levels, 64).reshape(8, 8).astype(kind)
    Pictures.fromarray(ramp).save(tiff, format="TIFF")
    read = image(size=[8, 8], channels=1).read(tiff.getvalue())
    assert read.max() == (255 if levels > 255 else levels)
    assert len(np.unique(read)) > 50


def test_levels_without_a_known_range_are_refused() -> None:
    tiff = io.BytesIO()
    Pictures.fromarray(np.array([[-5, 70000]], dtype=np.int32)).save(tiff, format="TIFF")
    with pytest.raises(Unreadable, match="from -5 to 70,000"):
        image(size=[8, 8], channels=1).read(tiff.getvalue())


def test_padding_keeps_the_sides_and_the_background_can_be_chosen() -> None:
    wide = np.full((4, 8, 3), 200, dtype=np.uint8)
    wide[:, 0] = 10
    padded = image(size=[8, 8], channels=3, fit="pad", background="#ff0000").encode(wide)
    assert padded[:, 0, 0].tolist() == [255, 0, 0]  # above
    assert padded[:, 4, 0].max() < 60  # the left side is there
    assert image(size=[8, 8], channels=3).encode(wide)[:, 4, 0].min() > 100  # cropped away
    clear = io.BytesIO()
    Pictures.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, format="PNG")
    assert image(size=[8, 8], channels=1, background="black").read(clear.getvalue()).max() == 0
    with pytest.raises(ValidationError, match="background is a colour"):
        image(background="plaid")


def test_pictures_are_cropped_at_the_centre_and_scaled_smoothly() -> None:
    wide = np.zeros((100, 300), dtype=np.uint8)
    wide[:, 80:220] = 200  # the centre and what smoothing reaches
    assert image(size=[10, 10], channels=1).encode(wide).min() == 200
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (100, 50))
    assert abs(image(size=[10, 10], channels=1).encode(stripes).astype(int) - 127).max() < 15  # nearest would give 0 or 255


def test_transparency_palette_sixteen_bits_and_rotation() -> None:
    grey = image(size=[4, 4], channels=1)
    assert grey.read(encoded(Pictures.new("RGBA", (4, 4), (0, 0, 0, 0)))).min() == 255
    assert grey.read(encoded(Pictures.new("P", (4, 4), 0))).shape == (4, 4)
    deep = Pictures.fromarray(np.full((4, 4), 0x8080, dtype=np.uint16))
    assert grey.read(encoded(deep)).tolist() == [[128] * 4] * 4
    exif = Pictures.Exif()
    exif[0x0112] = 6  # turned by a quarter
    assert grey.read(encoded(Pictures.new("RGB", (8, 4)), "JPEG", exif=exif)).shape == (8, 4)


def test_four_colours_of_ink_one_pixel_a_strip_and_the_first_of_an_animation() -> None:
    colour = image(size=[4, 4], channels=3)
    ink = encoded(Pictures.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")
    assert np.abs(colour.read(ink).astype(int) - (255, 0, 0)).max() < 8
    assert (
        colour.encode(colour.read(encoded(Pictures.new("RGB", (1, 1), (9, 8, 7))))).reshape(3, -1).T.tolist()
        == [[9, 8, 7]] * 16
    )
    assert colour.encode(colour.read(encoded(Pictures.new("RGB", (20_000, 3))))).shape == (3, 4, 4)
    frames = [Pictures.new("RGB", (4, 4), shade) for shade in ("white", "black")]
    animation = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert colour.read(animation).min() == 255


@pytest.mark.parametrize("side", [30_000, 2**31 - 1])
def test_a_pixel_bomb_is_refused_by_its_header(side: int) -> None:
    began = time.monotonic()
    with pytest.raises(Unreadable, match="pixels"):
        image().read(bomb(side))
    assert time.monotonic() - began < 1


def test_every_truncation_is_unreadable() -> None:
    random = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    for format in ("PNG", "JPEG", "BMP", "GIF"):
        whole = encoded(Pictures.fromarray(random), format)
        for length in range(0, len(whole) - 30, 97):
            with pytest.raises(Unreadable):
                image().read(whole[:length])


def test_other_formats_are_not_pictures() -> None:
    for data in (
        b"",
        b"hello",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
        b"PK\x03\x04",
        b"RIFF\xff\xff\xff\xffWAVE",
    ):
        with pytest.raises(Unreadable):
            image().read(data)


def test_the_contact_sheet_enlarges_small_pictures_without_smoothing(tmp_path: Path) -> None:
    modality = image(size=[8, 8], channels=1)
    values = [modality.read(data) for data in type(modality).fixture(20)]
    sheet = np.asarray(Pictures.open(modality.preview(values, tmp_path / "sheet.png")))
    assert sheet.shape == (2 * 66 + 2, 16 * 66 + 2)
    assert np.unique(sheet[2:66, 2:66].reshape(8, 8, 8, 8).std(axis=(1, 3))).tolist() == [0]


def test_a_contact_sheet_says_under_each_picture_what_it_was_asked_to_be(tmp_path: Path) -> None:
    modality = image(size=[8, 8], channels=1)
    values = [modality.read(data) for data in type(modality).fixture(3)]
    captions = ["seven", "", "a caption that is wider than its picture \n и не только"]
    sheet = np.asarray(Pictures.open(modality.preview(values, tmp_path / "sheet.png", captions)))
    assert sheet.shape == (66 + 14 + 2, 3 * 66 + 2)
    below = [sheet[66:80, 2 + 66 * place : 66 + 66 * place] for place in range(3)]
    assert [bool((part < 128).any()) for part in below] == [True, False, True]
    assert (sheet[66:, 198:] == 255).all()  # cut where its picture ends


def test_the_size_of_saved_pictures_must_agree(tmp_path: Path) -> None:
    from genwright.core.errors import DataError

    image(size=[8, 8]).save(tmp_path)
    with pytest.raises(DataError, match="another size"):
        build(Part(kind="image", options={"size": [16, 16]}), tmp_path)


def test_with_four_channels_what_is_clear_stays_clear() -> None:
    """Files have any colour where nothing can be seen, and a scaled edge must not take it on."""
    levels = np.zeros((16, 16, 4), dtype=np.uint8)
    levels[:, :8] = (255, 0, 0, 255)
    levels[:, 8:] = (0, 255, 0, 0)
    png = io.BytesIO()
    Pictures.fromarray(levels).save(png, format="PNG")
    clear = image(size=[8, 8], channels=4, background="black")
    read = clear.read(png.getvalue())
    assert read.shape == (16, 16, 4)
    assert not read[:, 8:].any()
    array = clear.encode(read)
    assert array.shape == (4, 8, 8)
    assert array[1].max() == 0  # no green has come in from what cannot be seen
    value = clear.decode(array)
    assert np.array_equal(clear.read(clear.write(value)), value)
    wide = image(size=[4, 8], channels=4, fit="pad").encode(read)
    assert wide[3, :, 0].max() == 0
    opaque = image(size=[8, 8], channels=4).read(modalities.get("image").fixture(1)[0])
    assert opaque[..., 3].min() == 255


def test_pictures_with_transparency_lie_on_white_on_a_sheet(tmp_path: Path) -> None:
    clear = image(size=[8, 8], channels=4)
    value = np.zeros((8, 8, 4), dtype=np.uint8)
    value[2:6, 2:6] = (0, 0, 255, 255)
    sheet = np.asarray(Pictures.open(clear.preview([value], tmp_path / "sheet")))
    assert sheet.shape[2] == 3
    assert sheet[5, 5].tolist() == [255, 255, 255]
    assert sheet[33, 33].tolist() == [0, 0, 255]
