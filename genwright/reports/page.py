"""Pages for people: one HTML file with everything inside it, made from a template."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment() -> Environment:
    """The templates. All that comes from data is text to them and is escaped; only charts are markup."""
    made = Environment(
        loader=PackageLoader("genwright.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(number=_number, whole=_whole, size=_size, share=_share)
    return made


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _size(value: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} GiB"
