"""Small charts as inline SVG: lines over steps, and a measure with its interval. Colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from genwright.evaluation.bounds import Bound
from genwright.evaluation.records import Measured

WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 24  # room for the axes' numbers
LOGARITHMIC = 30  # ratio of largest to smallest value from which the axis is logarithmic
COLOURS = 8
NAMES = 130  # room for what stands beside a bar

Points = Sequence[tuple[float, float]]


def lines(series: Mapping[str, Points], mark: float | None = None) -> Markup:
    """A chart of series over steps with its legend; `mark` is a step to point out. Values that are not finite are left
    out; empty where nothing is left."""
    drawn = {name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in series.items()}
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return Markup()
    values = [y for points in drawn.values() for _, y in points]
    logarithmic = min(values) > 0 and max(values) / min(values) > LOGARITHMIC
    across = _Scale(0.0, max(x for points in drawn.values() for x, _ in points), LEFT, WIDTH - RIGHT)
    low, high = (math.log10(min(values)), math.log10(max(values))) if logarithmic else (min(values), max(values))
    rise = _Scale(low, high, HEIGHT - BOTTOM, TOP)
    body = _axes(across, rise, logarithmic)
    if mark is not None:
        x = across(mark)
        body += Markup('<line class="mark" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(_n(x), TOP, HEIGHT - BOTTOM)
    for place, points in enumerate(drawn.values()):
        path = " ".join(f"{_n(across(x))},{_n(rise(math.log10(y) if logarithmic else y))}" for x, y in points)
        if len(points) == 1:
            centre = path.split(",")
            body += Markup('<circle class="c{}" cx="{}" cy="{}" r="3"/>').format(place % COLOURS, *centre)
        else:
            body += Markup('<polyline class="c{}" points="{}"/>').format(place % COLOURS, path)
    keys = Markup().join(
        Markup('<span><i class="key c{}"></i>{}</span>').format(place % COLOURS, name) for place, name in enumerate(drawn)
    )
    note = Markup("<span>logarithmic scale</span>") if logarithmic else Markup()
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg><p class="legend">{}{}</p>'
    ).format(WIDTH, HEIGHT, f"{', '.join(drawn)} by step", body, keys, note)


def interval(measured: Measured, bound: Bound | None = None) -> Markup:
    """A measure as a dot on its 95 % interval, real data as a hollow diamond, bounds as upright strokes."""
    bounds = [] if bound is None else [b for b in (bound.at_least, bound.at_most) if b is not None]
    given = [measured.value, measured.low, measured.high, *([] if measured.floor is None else [measured.floor]), *bounds]
    known = [x for x in given if math.isfinite(x)]
    if not known:
        return Markup()
    low, high = min(0.0, *known), max(0.0, *known)
    high = high if high > low else low + 1.0
    place = _Scale(low, high, 8.0, WIDTH - 8.0)
    body = Markup('<line class="rule" x1="8" x2="{}" y1="14" y2="14"/>').format(WIDTH - 8)
    for limit in bounds:
        body += Markup('<line class="bound" x1="{0}" x2="{0}" y1="3" y2="25"/>').format(_n(place(limit)))
    if math.isfinite(measured.low) and math.isfinite(measured.high):
        ends = _n(place(measured.low)), _n(place(measured.high))
        body += Markup('<line class="span" x1="{}" x2="{}" y1="14" y2="14"/>').format(*ends)
    if measured.floor is not None and math.isfinite(measured.floor):
        x = place(measured.floor)
        body += Markup('<path class="real" d="M{} 14l5-5 5 5-5 5z"/>').format(_n(x - 5))
    if math.isfinite(measured.value):
        body += Markup('<circle class="dot" cx="{}" cy="14" r="4.5"/>').format(_n(place(measured.value)))
    ticks = Markup('<text x="8" y="38">{}</text><text x="{}" y="38" text-anchor="end">{}</text>').format(
        f"{low:.3g}", WIDTH - 8, f"{high:.3g}"
    )
    label = f"{measured.value:.4g}, 95 % interval {measured.low:.4g} to {measured.high:.4g}"
    return Markup('<svg class="chart interval" viewBox="0 0 {} 42" role="img" aria-label="{}">{}{}</svg>').format(
        WIDTH, label, body, ticks
    )


def bars(counts: Sequence[tuple[str, int]]) -> Markup:
    """Counts as bars below each other, each with its name and figure."""
    most, body = max((n for _, n in counts), default=0), Markup()
    for place, (name, n) in enumerate(counts):
        y = 18 * place
        body += Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(NAMES - 6, y + 13, name[:24])
        width = (WIDTH - NAMES - 50) * n / max(1, most)
        body += Markup('<rect class="c0" x="{}" y="{}" width="{}" height="13"/>').format(NAMES, y + 2, _n(width))
        body += Markup('<text x="{}" y="{}">{}</text>').format(_n(NAMES + width + 5), y + 13, f"{n:,}")
    if not counts:
        return body
    label = ", ".join(f"{name} {n:,}" for name, n in counts)
    drawn = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return drawn.format(WIDTH, 18 * len(counts) + 4, label, body)


def scatter(groups: Mapping[str, Points], label: str) -> Markup:
    """Points of COLOURS groups, without axes: where they lie to each other is all that counts."""
    every = [point for points in groups.values() for point in points]
    if not every:
        return Markup()
    across = _Scale(min(x for x, _ in every), max(x for x, _ in every), 8.0, WIDTH - 8.0)
    rise = _Scale(min(y for _, y in every), max(y for _, y in every), WIDTH - 8.0, 8.0)
    dots = Markup().join(
        Markup('<circle class="c{}" cx="{}" cy="{}" r="2" opacity=".6"/>').format(place % COLOURS, _n(across(x)), _n(rise(y)))
        for place, points in enumerate(groups.values())
        for x, y in points
    )
    keys = Markup().join(
        Markup('<span><i class="key c{}"></i>{} {}</span>').format(place % COLOURS, name, f"{len(points):,}")
        for place, (name, points) in enumerate(groups.items())
    )
    drawn = Markup('<svg class="chart map" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg><p class="legend">{}</p>')
    return drawn.format(WIDTH, WIDTH, label, dots, keys)


class _Scale:
    """A straight line from values to places on the drawing."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = (low, high) if high > low else (low - 0.5, low + 0.5)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def _axes(across: _Scale, rise: _Scale, logarithmic: bool) -> Markup:
    body = Markup()
    for share in (0.0, 0.5, 1.0):
        value = rise.low + share * (rise.high - rise.low)
        y = rise(value)
        body += Markup('<line class="rule" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, WIDTH - RIGHT, _n(y), _n(y))
        text = f"{10**value if logarithmic else value:.3g}"
        body += Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(LEFT - 5, _n(y + 3.5), text)
    for share, anchor in ((0.0, "start"), (1.0, "end")):
        step = across.low + share * (across.high - across.low)
        words = f"step {step:.0f}" if share else f"{step:.0f}"
        body += Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(_n(across(step)), HEIGHT - 6, anchor, words)
    return body


def _n(value: float) -> str:
    return f"{value:.1f}"
