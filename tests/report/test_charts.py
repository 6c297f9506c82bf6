"""Charts: places by hand, well-formed, with titles and without scripts."""

import re
import xml.etree.ElementTree

import numpy as np
import pytest

from finetune import calibration
from finetune.report import charts
from finetune.report.charts import Axis, Line
from tests.report.conftest import ANSWERS, TRUTH


@pytest.mark.parametrize(("ends", "expected"), [
    ((0, 1), [0, .2, .4, .6, .8, 1]), ((0, 84), [0, 20, 40, 60, 80]),
    ((-1.2, 6), [0, 2, 4, 6]), ((0, 8e-5), [0, 2e-5, 4e-5, 6e-5, 8e-5]),
    ((3, 3), [2.6, 2.8, 3, 3.2, 3.4]), ((0, 345), [0, 100, 200, 300])])
def test_ticks_are_round(ends, expected):
    assert Axis("x", *ends).ticks() == pytest.approx(expected)


def test_ticks_of_a_logarithmic_axis_are_powers_of_ten():
    axis = Axis("rate", 1e-7, 0.03, log=True)
    assert axis.ticks() == pytest.approx([10.0 ** power for power in range(-7, -1)])
    assert axis.share(1e-7) == 0 and axis.share(0.03) == 1


def drawing(markup):
    """Returns a chart as a tree: XML, so every element is closed and every text escaped."""
    tree = xml.etree.ElementTree.fromstring(markup)
    svg = tree.find("svg")
    assert svg.get("role") == "img" and svg.get("aria-label").startswith(svg.find("title").text)
    return svg


def test_lines_lie_where_their_numbers_say():
    svg = drawing(charts.lines("<L>", "step", "loss", [
        Line("train & dev", [0, 50, 100], [1.0, 0.5, float("nan")]), Line("dev", [100], [0.25])]))
    first, second = svg.iter("polyline")
    # x from 58 to 448 for 0 to 100, y from 218 to 24 for 0 to 1.
    assert first.get("points") == "58,24 253,121"
    assert second.get("points") == "448,169.5"
    assert (first.get("class"), second.get("class")) == ("line s1", "line s2")
    assert [one.get("cx") for one in svg.iter("circle")] == ["448"]  # a point alone is seen
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


def test_a_file_stands_alone():
    """Its style sheet has no variables, which most viewers of pictures do not know."""
    drawn = charts.file("a < b", Axis("<x>", 0.0, 100.0), Axis("y", 0.0, 1.0), [
        Line("noise", [0.0, 100.0], [0.5, 0.5], faint=True),
        Line("&", [0.0, 100.0], [0.0, 1.0])], [("early", 30.0), ("late", 60.0)])
    svg = xml.etree.ElementTree.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    texts = {one.text: one for one in svg.iter(f"{space}text")}
    assert {"a < b", "<x>", "y", "&", "noise"} <= set(texts)
    assert (texts["early"].get("text-anchor"), texts["late"].get("text-anchor")) == ("end", "start")
    # x from 58 to 748 for 0 to 100, y from 338 to 24 for 0 to 1.
    assert [(one.get("class"), one.get("points")) for one in svg.iter(f"{space}polyline")] == [
        ("line faint", "58,181 748,181"), ("line s1", "58,338 748,24")]
    assert [one.get("x1") for one in svg.iter(f"{space}line") if one.get("class") == "mark"] == [
        "265.0", "472.0"]
    [only] = re.findall("<text[^>]*>only<", charts.file(
        "", Axis("x", 0.0, 1.0), Axis("y", 0.0, 1.0), [], [("only", 0.1)]))
    assert 'text-anchor="start"' in only  # left of it there is no room
    assert ".s1{stroke:#" in drawn and "var(" not in drawn


def test_one_value_alone_can_be_drawn():
    drawing(charts.scatter("S", "t", "p", np.full(3, 2.0), np.full(3, 2.0)))
    drawing(charts.lines("L", "step", "loss", [Line("train", [0], [0.0])]))
