"""Source code: text whose every space counts."""

from __future__ import annotations

import random
import re
from typing import ClassVar

from pydantic import Field

from genwright.core.record import Record
from genwright.data.modalities.base import modalities
from genwright.data.modalities.text import Text, TextOptions

ENDINGS = (
    "py pyi js mjs cjs jsx ts tsx java kt scala c h cc cpp cxx hpp cs go rs rb php swift m lua pl r jl hs ml ex erl clj "
    "sh bash sql html css scss"
)
LONGEST_LINE, LONGEST_MEAN = 2_000, 200  # characters; hand-written code stays far below both
GENERATED = re.compile(r"@generated|\bdo not edit\b|\bauto(matically |-)?generated\b|\bgenerated from ['\"]", re.IGNORECASE)
HEAD = 1_000  # characters in which a generated file says so


class CodeOptions(TextOptions):
    normalise: bool = Field(False, description="line ends become LF and a byte order mark goes; by default all is kept")
    ending: str = Field("py", pattern=r"^[a-z]+$", description="ending of the files it writes")


@modalities.register
class Code(Text):
    """A value is a str, kept to the last space. Minified and generated files are not worth keeping."""

    name = "code"
    Options: ClassVar[type[Record]] = CodeOptions
    options: CodeOptions
    suffixes = frozenset(f".{ending}" for ending in ENDINGS.split())
    suffix = ".py"
    doubtful = False  # names are made up in code all the time

    def __init__(self, options: Record) -> None:
        super().__init__(options)
        self.suffix = f".{self.options.ending}"

    def keep(self, value: str) -> str | None:
        if not value.strip():
            return "empty"
        lines = value.splitlines()
        longest, mean = max(map(len, lines)), len(value) / len(lines)
        if longest > LONGEST_LINE or mean > LONGEST_MEAN:
            return f"minified, or data: lines of {mean:,.0f} characters on average, the longest {longest:,}"
        if found := GENERATED.search(value[:HEAD]):
            return f"generated: it says {found.group(0)!r}"
        return None

    @classmethod
    def fixture(cls, n: int, seed: int = 0) -> list[bytes]:
        """Little Python functions, all different."""
        choose = random.Random(seed).choice
        verbs, nouns, signs = ("add", "take", "scale"), ("price", "length", "count"), ("+", "-", "*")
        files = []
        for number in range(n):
            noun = choose(nouns)
            body = f"    if {noun} > {number}:\n        return {noun} {choose(signs)} {number}\n    return {noun}\n"
            files.append(f"def {choose(verbs)}_{noun}({noun}):\n{body}".encode())
        return files
