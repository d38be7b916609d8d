"""Charts survive the numbers that training gives."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from genwright.evaluation.bounds import Bound
from genwright.evaluation.records import Measured
from genwright.reports.chart import interval, lines


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{markup}</div>")


def test_values_that_are_not_finite_are_left_out() -> None:
    chart = lines({"loss": [(1, 2.0), (2, math.nan), (3, 1.0), (4, math.inf)]})
    (line,) = parsed(chart).iter("polyline")
    assert len(line.attrib["points"].split()) == 2
    assert "nan" not in chart
    assert "inf" not in chart
    assert lines({"loss": [(1, math.nan)]}) == ""


def test_a_wide_range_is_drawn_logarithmically_and_says_so() -> None:
    assert "logarithmic" in lines({"loss": [(1, 1000.0), (2, 1.0)]})
    assert "logarithmic" not in lines({"loss": [(1, 1000.0), (2, -1.0)]})


def test_one_point_and_a_flat_line_can_be_drawn() -> None:
    assert len(list(parsed(lines({"a": [(5, 1.0)]})).iter("circle"))) == 1
    assert len(list(parsed(lines({"a": [(5, 1.0), (6, 1.0)]}, mark=6)).iter("polyline"))) == 1


def test_names_are_escaped() -> None:
    assert "<script>" not in lines({"<script>": [(1, 1.0), (2, 2.0)]})


@pytest.mark.parametrize("value", [0.0, -2.0, 0.5, math.nan])
def test_an_interval_stays_on_the_drawing(value: float) -> None:
    chart = interval(Measured(value=value, low=value, high=value, n=3, floor=1.0), Bound(at_most=3.0))
    places = [float(e.attrib[key]) for e in parsed(chart).iter() for key in ("x1", "x2", "cx") if key in e.attrib]
    assert all(0 <= place <= 360 for place in places)
