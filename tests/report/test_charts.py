"""Charts: places by hand, well-formed, with titles and without scripts."""

import xml.etree.ElementTree

import numpy as np
import pytest

from finetune import calibration
from finetune.report import charts
from tests.report.conftest import ANSWERS, TRUTH


@pytest.mark.parametrize(("ends", "expected"), [
    ((0, 1), [0, .2, .4, .6, .8, 1]), ((0, 84), [0, 20, 40, 60, 80]),
    ((-1.2, 6), [0, 2, 4, 6]), ((0, 8e-5), [0, 2e-5, 4e-5, 6e-5, 8e-5]), ((3, 3), [3])])
def test_ticks_are_round(ends, expected):
    assert charts.ticks(*ends) == expected


def drawing(markup):
    """Returns a chart as a tree: XML, so every element is closed and every text escaped."""
    tree = xml.etree.ElementTree.fromstring(markup)
    svg = tree.find("svg")
    assert svg.get("role") == "img" and svg.get("aria-label").startswith(svg.find("title").text)
    return svg


def test_lines_lie_where_their_numbers_say():
    svg = drawing(charts.lines("<L>", "step", "loss", [
        ("train & dev", [0, 50, 100], [1.0, 0.5, float("nan")]), ("dev", [100], [0.25])]))
    first, second = svg.iter("polyline")
    # x from 58 to 448 for 0 to 100, y from 218 to 24 for 0 to 1.
    assert first.get("points") == "58,24 253,121"
    assert second.get("points") == "448,169.5"
    assert (first.get("class"), second.get("class")) == ("line s1", "line s2")
    assert [one.get("cx") for one in svg.iter("circle")] == ["448.0"]  # a point alone is seen
    assert svg.find("title").text == "<L>"


def test_bars_of_reliability():
    svg = drawing(charts.reliability("R", calibration.reliability(ANSWERS, TRUTH, 4)))
    bars = {one.find("title").text: float(one.get("height")) for one in svg.iter("rect")}
    # (.25, .5]: .5, wrong; (.5, .75]: .6 .6 .6, all right; (.75, 1]: .9 .8 .9 .8, three right.
    assert {one[0]: height for one, height in bars.items()} == pytest.approx(
        {"1": 0, "3": 194, "4": 145.5}, abs=0.11)


def test_histogram_and_scatter():
    svg = drawing(charts.histogram("H", "x", np.array([1, 4]), np.array([-1.0, 0.0, 1.0])))
    assert [float(one.get("height")) for one in svg.iter("rect")] == pytest.approx([48.5, 194])
    svg = drawing(charts.scatter("S", "t", "p", np.array([0.0, 2.0]), np.array([2.0, 2.0])))
    assert [(one.get("cx"), one.get("cy")) for one in svg.iter("circle")] == [
        ("58.0", "24.0"), ("448.0", "24.0")]


def test_one_value_alone_can_be_drawn():
    drawing(charts.scatter("S", "t", "p", np.full(3, 2.0), np.full(3, 2.0)))
    drawing(charts.lines("L", "step", "loss", [("train", [0], [0.0])]))
