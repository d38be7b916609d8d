"""Text: UTF-8 files as sequences of byte-pair tokens."""

from __future__ import annotations

import codecs
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genwright.core.durable import write_text
from genwright.core.errors import DataError, Unreadable
from genwright.core.record import Record
from genwright.core.shapes import BOS, EOS, PAD, Tokens
from genwright.data.modalities.base import Modality, modalities
from genwright.data.words import Words

SPECIAL = max(PAD, BOS, EOS) + 1  # ids below are never those of a piece of text
LONGEST_LINE = 100_000  # characters
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks; the longer ones first, as one begins like a shorter one."""


class TextOptions(Record):
    vocab: int = Field(4096, ge=SPECIAL + 256, le=1_000_000, description="tokens at most: 3 special ones, 256 bytes, merges")
    length: int = Field(256, ge=2, description="tokens a model sees at once")
    normalise: bool = Field(True, description="line ends become LF and a byte order mark goes; nothing else is changed")
    encoding: str | None = Field(None, description="of files that are not UTF-8, e.g. cp1252; default: they are left out")

    def model_post_init(self, context: Any, /) -> None:
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError as error:
            raise ValueError(f"encoding is the name of one, e.g. cp1252 or latin-1, not {self.encoding!r}") from error


@modalities.register
class Text(Modality):
    """A value is a str. Tokens come from byte-level byte-pair encoding (Sennrich et al. 2016, Radford et al. 2019),
    learned from the training texts: any text, also one never seen, encodes and decodes without loss.

    The tokenizer knows nothing of PAD, BOS and EOS: its ids begin behind them, so no text can produce one.
    """

    name = "text"
    Options: ClassVar[type[Record]] = TextOptions
    options: TextOptions
    suffixes = frozenset({".txt", ".text", ".md"})
    suffix = ".txt"
    doubtful: ClassVar[bool] = True  # whether texts with words that nobody taught it are told
    learns_from = 64 * 2**20  # a few thousand pieces of words do not change with more

    def __init__(self, options: Record) -> None:
        super().__init__(options)
        self._tokenizer: Any = None
        self._words = Words(None)

    def read(self, data: bytes) -> str:
        """The text: UTF-8, or UTF-16 or 32 that says so by its byte order mark, or what the options say. Raises Unreadable
        for other bytes, and for NUL."""
        marked = next((name for mark, name in MARKS if data.startswith(mark)), None)
        try:
            text = data.decode(marked or "utf-8")
        except UnicodeDecodeError as error:
            text = self._otherwise(data, error)
        if "\0" in text:
            raise Unreadable(f"not text: NUL at character {text.index(chr(0)):,}")
        return re.sub(r"\r\n?", "\n", text.lstrip("\ufeff")) if self.options.normalise else text

    def _otherwise(self, data: bytes, error: UnicodeDecodeError) -> str:
        """A text that is not UTF-8."""
        if self.options.encoding is not None:
            try:
                return data.decode(self.options.encoding)
            except UnicodeDecodeError as other:
                raise Unreadable(
                    f"neither UTF-8 nor {self.options.encoding}: {other.reason} at byte {other.start:,}"
                ) from other
        likely = "; as Windows-1252 it could be read (`encoding: cp1252`)" if _western(data) else ""
        raise Unreadable(f"not UTF-8: {error.reason} at byte {error.start:,}{likely}") from error

    def keep(self, value: str) -> str | None:
        if not value.strip():
            return "empty"
        longest = max(len(line) for line in value.split("\n"))
        return f"a line of {longest:,} characters" if longest > LONGEST_LINE else None

    def fit(self, values: Iterable[str]) -> None:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.options.vocab - SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            min_frequency=2,
            show_progress=False,
        )
        words = Words(() if self.doubtful else None)
        tokenizer.train_from_iterator(words.passing(values), trainer)
        self._tokenizer, self._words = tokenizer, words

    @property
    def tokenizer(self) -> Any:
        if self._tokenizer is None:
            raise DataError("The tokenizer has not been trained.", do="fit it to training texts, or load it")
        return self._tokenizer

    @property
    def shape(self) -> Tokens:
        return Tokens(vocab=SPECIAL + self.tokenizer.get_vocab_size(), length=self.options.length)

    @property
    def outline(self) -> Tokens:
        return Tokens(vocab=self.options.vocab, length=self.options.length)

    def encode(self, value: str) -> NDArray[Any]:
        """(tokens,) uint16, or uint32 for a large vocabulary."""
        return self._numbered(self.tokenizer.encode(value, add_special_tokens=False))

    def encode_all(self, values: Sequence[str]) -> list[NDArray[Any] | None]:
        return [self._numbered(one) for one in self.tokenizer.encode_batch_fast(list(values), add_special_tokens=False)]

    def _numbered(self, encoding: Any) -> NDArray[Any]:
        wide = self.options.vocab > np.iinfo(np.uint16).max
        return (np.asarray(encoding.ids, dtype=np.int64) + SPECIAL).astype(np.uint32 if wide else np.uint16)

    def decode(self, array: NDArray[Any]) -> str:
        """The text of tokens; bytes that a model left incomplete become U+FFFD, special ids nothing."""
        ids = np.asarray(array, dtype=np.int64)
        text: str = self.tokenizer.decode((ids[ids >= SPECIAL] - SPECIAL).tolist(), skip_special_tokens=False)
        return text

    def doubts(self, value: str) -> list[str]:
        """Words that no training text had, and an end that is cut off."""
        if not self.doubtful:
            return []
        found = []
        if unknown := self._words.unknown(value):
            found.append(f"no text that was learned from has {unknown}")
        encoded, fit = self.tokenizer.encode(value, add_special_tokens=False), self.options.length - 1
        if len(encoded) > fit:
            read = value[: encoded.offsets[fit - 1][1]]
            found.append(f"only {fit} of {len(encoded):,} tokens fit: it is read up to {read[-20:]!r}")
        return found

    def write(self, value: str) -> bytes:
        return value.encode("utf-8")

    def preview(self, values: Sequence[str], path: Path, captions: Sequence[str] = ()) -> Path:
        """A text file with the values one below the other, numbered, each under what it was asked."""
        path = path.with_suffix(".txt")
        asked = [f"\n{caption}\n---" if caption else "" for caption in captions] or [""] * len(values)
        numbered = enumerate(zip(values, asked, strict=True), start=1)
        write_text(path, "\n\n".join(f"--- {number} ---{question}\n{value}" for number, (value, question) in numbered) + "\n")
        return path

    def save(self, folder: Path) -> None:
        write_text(folder / "tokenizer.json", self.tokenizer.to_str())
        self._words.save(folder)

    def load(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text())
        except Exception as error:  # tokenizers raises bare Exception for JSON it does not understand
            raise DataError("A tokenizer cannot be read.", got=f"{folder}: {error}", do="clean the data again") from error
        self._words = Words.load(folder)

    @classmethod
    def fixture(cls, n: int, seed: int = 0) -> list[bytes]:
        """Little weather reports, all different."""
        choose = random.Random(seed).choice
        days = ("Monday", "Tuesday", "Friday", "Sunday")
        skies = ("grey", "clear", "red", "blue and wide")
        winds = ("sleeps", "comes from the sea", "turns north", "dies at noon")
        lines = (f"{choose(days)} {number}: the sky is {choose(skies)}, the wind {choose(winds)}.\n" for number in range(n))
        return [line.encode() for line in lines]


def _western(data: bytes) -> bool:
    """Whether bytes could be a text in Windows-1252, in which five of them mean nothing."""
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True
