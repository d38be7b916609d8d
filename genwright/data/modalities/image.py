"""Pictures: files of the usual formats as grey or colour arrays of one size."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageColor, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError
from pydantic import Field

from genwright.core.durable import write_bytes, write_json
from genwright.core.errors import DataError, Unreadable
from genwright.core.printable import printable
from genwright.core.record import Record
from genwright.core.shapes import Shape, Signal
from genwright.data.modalities.base import Modality, modalities

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
MOST_PIXELS = 50_000_000  # a header that promises more is refused before anything is decoded
TILE, LARGEST_TILE, ROW, GAP, CAPTION = 64, 256, 16, 2, 14  # of a contact sheet, in pixels and tiles

Picture = NDArray[np.uint8]


class ImageOptions(Record):
    size: tuple[int, int] = Field((32, 32), description="height and width that pictures are brought to")
    channels: Literal[1, 3, 4] = Field(3, description="1: grey, 3: red, green, blue, 4: and how opaque")
    fit: Literal["crop", "pad"] = Field("crop", description="of another shape: cut at the centre, or all of it with margins")
    background: str = Field("white", description="colour of margins, and of what lies behind transparent parts")

    def model_post_init(self, context: Any, /) -> None:
        if not all(1 <= side <= 4096 for side in self.size):
            raise ValueError(f"size must be [height, width], each 1 to 4096, not {list(self.size)}")
        try:
            ImageColor.getrgb(self.background)
        except ValueError as error:
            raise ValueError(f"background is a colour such as white, black or #ffeecc, not {self.background!r}") from error


@modalities.register
class Image(Modality):
    """A value is a uint8 array (height, width), (height, width, 3) or (height, width, 4), of whatever size the file has;
    `encode` crops it at the centre to the aspect asked for, or pads it, and scales it (bicubic, antialiased) where it is not
    that size already.

    What is transparent is laid on the background, but for `channels: 4`, where what cannot be seen has its colour; of an
    animation the first frame counts; EXIF rotation is applied. Levels of more than 8 bits are brought to 8 bits: by the
    largest that 16 bits hold, unless all of them are below 256 already.
    """

    name = "image"
    Options: ClassVar[type[Record]] = ImageOptions
    options: ImageOptions
    suffixes = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
    suffix = ".png"

    def read(self, data: bytes) -> Picture:
        """The picture. Raises Unreadable for bytes that are no picture, are cut short, or promise too many pixels."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about sizes and broken metadata; sizes are judged below
                with Pictures.open(io.BytesIO(data), formats=FORMATS) as file:
                    pixels = file.width * file.height
                    if pixels > MOST_PIXELS:
                        raise Unreadable(f"{file.width:,} x {file.height:,} pixels; at most {MOST_PIXELS:,} are decoded")
                    return self._array(ImageOps.exif_transpose(file))
        except Unreadable:
            raise
        except Pictures.DecompressionBombError as error:
            raise Unreadable(f"far more pixels than the {MOST_PIXELS:,} that are decoded") from error
        except UnidentifiedImageError as error:
            raise Unreadable(f"not a picture of a known format ({', '.join(FORMATS)})") from error
        except Exception as error:  # decoders answer hostile bytes with almost any exception
            raise Unreadable(f"broken picture: {error}") from error

    def _array(self, file: Pictures.Image) -> Picture:
        if file.mode == "F":
            raise Unreadable("a picture of real numbers without a known range")
        if file.mode.startswith("I"):
            return self._array(Pictures.fromarray(_eight_bits(np.asarray(file, dtype=np.int64))))
        if self.options.channels == 4:
            return self._unseen(np.asarray(file.convert("RGBA"), dtype=np.uint8))
        if file.has_transparency_data:
            file = file.convert("RGBA")
            file = Pictures.alpha_composite(Pictures.new("RGBA", file.size, self.options.background), file)
        return np.asarray(file.convert("L" if self.options.channels == 1 else "RGB"), dtype=np.uint8)

    def _unseen(self, value: Picture) -> Picture:
        """What cannot be seen in the colour of the background, since files have anything there."""
        colour = np.asarray(ImageColor.getcolor(self.options.background, "RGBA"), dtype=np.uint8)
        colour[3] = 0
        return np.where(value[..., 3:] == 0, colour, value)

    @property
    def shape(self) -> Signal:
        return Signal(channels=self.options.channels, axes=self.options.size, over=("y", "x"))

    @property
    def outline(self) -> Signal:
        return self.shape

    def encode(self, value: Picture) -> NDArray[Any]:
        """(channels, height, width) uint8."""
        height, width = self.options.size
        if value.shape[:2] != (height, width):
            picture, method = Pictures.fromarray(value), Pictures.Resampling.BICUBIC
            if self.options.fit == "crop":
                value = np.asarray(ImageOps.fit(picture, (width, height), method))
            else:
                colour = ImageColor.getcolor(self.options.background, picture.mode)
                colour = (*colour[:3], 0) if isinstance(colour, tuple) and len(colour) == 4 else colour
                value = np.asarray(ImageOps.pad(picture, (width, height), method, color=colour))
        return value[None] if self.options.channels == 1 else np.ascontiguousarray(value.transpose(2, 0, 1))

    def decode(self, array: NDArray[Any]) -> Picture:
        """The picture of uint8, or of float32 in [-1, 1]; what lies outside is clipped."""
        if array.dtype != np.uint8:
            array = np.rint((array + 1) * 127.5).clip(0, 255).astype(np.uint8)
        if self.options.channels == 1:
            return np.asarray(array[0])
        value = np.ascontiguousarray(array.transpose(1, 2, 0))
        return self._unseen(value) if self.options.channels == 4 else value

    def fitting(self, shape: Shape) -> Image | None:
        if not isinstance(shape, Signal) or not shape.picture or shape.channels not in (1, 3, 4) or not shape.bounded:
            return None
        told = {"size": shape.axes, "channels": shape.channels}
        alike = shape.channels == self.options.channels  # else it may be a drawing, whose paper is white whatever it is of
        return Image(self.options.model_copy(update=told if alike else told | {"background": "white"}))

    def masks(self, shape: Shape) -> Image | None:
        reader = self.fitting(shape)
        return None if reader is None else Image(reader.options.model_copy(update={"background": "black"}))

    def write(self, value: Picture) -> bytes:
        png = io.BytesIO()
        Pictures.fromarray(value).save(png, format="PNG")
        return png.getvalue()

    def preview(self, values: Sequence[Picture], path: Path, captions: Sequence[str] = ()) -> Path:
        """A contact sheet, at most 16 pictures a row, each over its caption; small ones are enlarged without smoothing."""
        height, width = self.options.size
        scale = max(1, math.ceil(TILE / max(height, width)))
        shrink = min(1.0, LARGEST_TILE / max(height, width))
        tile = (max(1, round(width * scale * shrink)), max(1, round(height * scale * shrink)))
        method = Pictures.Resampling.NEAREST if shrink == 1 else Pictures.Resampling.BICUBIC
        columns = min(ROW, max(1, len(values)))
        rows = max(1, math.ceil(len(values) / columns))
        below = CAPTION if any(captions) else 0
        size = (columns * (tile[0] + GAP) + GAP, rows * (tile[1] + below + GAP) + GAP)
        sheet = Pictures.new("L" if self.options.channels == 1 else "RGB", size, "white")
        for place, value in enumerate(values):
            row, column = divmod(place, columns)
            corner = (GAP + column * (tile[0] + GAP), GAP + row * (tile[1] + below + GAP))
            picture = Pictures.fromarray(self.decode(self.encode(value))).resize(tile, method)
            sheet.paste(picture, corner, picture if picture.mode == "RGBA" else None)
            if below:
                _write(sheet, captions[place], (corner[0], corner[1] + tile[1]), tile[0])
        path = path.with_suffix(".png")
        write_bytes(path, self.write(np.asarray(sheet)))
        return path

    def save(self, folder: Path) -> None:
        write_json(folder / "image.json", self.options.model_dump(mode="json"))

    def load(self, folder: Path) -> None:
        try:
            saved = ImageOptions.model_validate(json.loads((folder / "image.json").read_text()))
        except (OSError, ValueError) as error:
            raise DataError("The size of the pictures cannot be read.", got=error, do="clean the data again") from error
        if saved != self.options:
            raise DataError("The pictures are of another size or colour.", got=saved, allowed=self.options)

    @classmethod
    def fixture(cls, n: int, seed: int = 0) -> list[bytes]:
        """Squares, discs and crosses of 12 x 12, grey on dark, a little noisy, all different."""
        random = np.random.default_rng(seed)
        down, across = np.mgrid[:12, :12]
        files = []
        for place in range(n):
            y, x, half = random.uniform(4, 7), random.uniform(4, 7), random.uniform(2, 4)
            dy, dx = abs(down - y), abs(across - x)
            inside = (np.maximum(dy, dx) < half, np.hypot(dy, dx) < half, np.minimum(dy, dx) < 1)[place % 3]
            levels = 200.0 * inside + random.uniform(0, 40, inside.shape)
            picture = np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2)
            png = io.BytesIO()
            Pictures.fromarray(picture).save(png, format="PNG")
            files.append(png.getvalue())
        return files


def _eight_bits(levels: NDArray[np.int64]) -> Picture:
    """Levels of 16 or 32 bits as 8. Raises Unreadable where they are no levels that 16 bits hold."""
    low, high = int(levels.min(initial=0)), int(levels.max(initial=0))
    if low < 0 or high > 65535:
        raise Unreadable(f"levels from {low:,} to {high:,}: a picture without a known range")
    return (levels if high < 256 else levels // 257).astype(np.uint8)


def _write(sheet: Pictures.Image, text: str, corner: tuple[int, int], width: int) -> None:
    """A line of text on a contact sheet, cut where it is wider than its tile."""
    import matplotlib  # for the letters that it brings, of more alphabets than Pillow's

    font = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", CAPTION - 4)
    text = printable(text)
    if font.getlength(text) > width:
        while text and font.getlength(f"{text}…") > width:
            text = text[:-1]
        text = f"{text.rstrip()}…"
    ImageDraw.Draw(sheet).text(corner, text, fill="black", font=font)
