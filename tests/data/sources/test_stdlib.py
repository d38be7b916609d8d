"""Python's standard library as a source."""

from __future__ import annotations

from pathlib import Path

from genwright.data.sources.stdlib import Stdlib, StdlibOptions


def test_the_library_without_its_tests(tmp_path: Path) -> None:
    def stdlib(**options: object) -> Stdlib:
        return Stdlib(StdlibOptions.model_validate(options), base=tmp_path, cache=tmp_path, suffixes=frozenset({".py"}))

    items = {item.name: item for item in stdlib().items()}
    assert len(items) > 500
    assert b"class JSONDecoder" in items["json/decoder.py"].data
    assert items["json/decoder.py"].licence == "PSF-2.0"
    assert not [name for name in items if "/test/" in f"/{name}" or "site-packages" in name or "idle_test" in name]
    assert stdlib().state() == stdlib().state() != stdlib(exclude=["json/"]).state()
