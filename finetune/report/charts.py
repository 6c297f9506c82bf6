"""Charts as SVG: pure functions of numbers, without scripts, for a page or as a file.

    lines("Loss", "step", "loss", [Line("train", [0, 20, 40], [1.1, 0.7, 0.4])])
    file("Rates", Axis("step", 0, 40), Axis("rate", 0, 1), [Line("linear", [0, 40], [1, 0])])

Each has a title and a description for those who cannot see it. Colours are classes of a style
sheet; every line of several has dashes of its own, so that colour is not all that tells.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from finetune.calibration import Bins
from finetune.report import style
from finetune.report.markup import Markup, element, joined, number

_SMALL, _LARGE = (460, 260), (760, 380)  # width and height: on a page, and as a file
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 24, 42  # between the frame and the edge
_TITLE = 28  # height of the line above the chart of a file
_TICKS = 5  # about, of an axis that is not logarithmic
_LETTER = 6.6  # width of one of a legend, about


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: in the legend.
        x: rising.
        y: one for each x; what is not finite is left out.
        faint: thin and grey, behind the line that matters.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    faint: bool = False


@dataclasses.dataclass(frozen=True)
class Axis:
    """An axis: what it measures, and the values at its ends.

    Attributes:
        low, high: where they are one, there is room around it.
        log: whether its ticks are powers of ten.
    """

    label: str
    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Returns how far along the axis a value stands, 0 to 1."""
        low, high = self._ends()
        return (self._placed(value) - low) / (high - low)

    def ticks(self) -> list[float]:
        """Returns round numbers, 1, 2 or 5 times a power of ten apart, or the powers of ten."""
        low, high = self._ends()
        rough = 1.0 if self.log else (high - low) / _TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= rough * (1 - 1e-9))
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        found = [float(f"{place * step:.12g}") for place in range(first, last + 1)]
        return [10.0 ** one for one in found] if self.log else found

    def _placed(self, value: float) -> float:
        return math.log10(value) if self.log else float(value)

    def _ends(self) -> tuple[float, float]:
        low, high = self._placed(self.low), self._placed(self.high)
        return (low, high) if high > low else (low - 0.5, low + 0.5)


class Axes:
    """A frame with ticks: places values on the drawing.

    Args:
        size: width and height of the drawing, in its units.
    """

    def __init__(self, x: Axis, y: Axis, size: tuple[int, int] = _SMALL):
        self._x, self._y = x, y
        self.right, self.bottom = size[0] - _RIGHT, size[1] - _BOTTOM

    def across(self, value: float) -> float:
        """Returns the place of an x, in units of the drawing from the left."""
        return round(_LEFT + self._x.share(value) * (self.right - _LEFT), 1)

    def down(self, value: float) -> float:
        """Returns the place of a y, in units of the drawing from the top."""
        return round(self.bottom - self._y.share(value) * (self.bottom - _TOP), 1)

    def frame(self) -> Markup:
        """Returns grid lines, numbers and the names of the axes."""
        parts = []
        for value in self._x.ticks():
            at = self.across(value)
            parts.append(element("line", class_="grid", x1=at, x2=at, y1=_TOP, y2=self.bottom))
            parts.append(_label(at, self.bottom + 15, _tick(value), "middle"))
        for value in self._y.ticks():
            at = self.down(value)
            parts.append(element("line", class_="grid", x1=_LEFT, x2=self.right, y1=at, y2=at))
            parts.append(_label(_LEFT - 6, at + 4, _tick(value), "end"))
        parts.append(_label((_LEFT + self.right) / 2, self.bottom + 36, self._x.label, "middle"))
        return joined([*parts, _label(_LEFT - 46, 14, self._y.label, "start")])

    def drawn(self, lines: Sequence[Line]) -> Markup:
        """Returns lines, and where there are several their legend above the frame."""
        parts, numbered = [], 0
        at = self.right - sum(_width(line) for line in lines)
        for line in lines:
            numbered += not line.faint
            kind = "faint" if line.faint else f"s{numbered}"
            points = " ".join(f"{self.across(one):g},{self.down(other):g}" for one, other
                              in zip(line.x, line.y, strict=True) if math.isfinite(other))
            if points.count(",") == 1:  # seen all the same
                x, y = points.split(",")
                parts.append(element("circle", class_=f"dot {kind}", cx=x, cy=y, r=4))
            parts.append(element("polyline", class_=f"line {kind}", points=points))
            if len(lines) > 1:
                parts.append(element("line", class_=f"line {kind}", x1=round(at, 1), y1=10,
                                     x2=round(at + 26, 1), y2=10))
                parts.append(_label(at + 32, 14, line.name, "start"))
            at += _width(line)
        return joined(parts)

    def marked(self, marks: Sequence[tuple[str, float]]) -> Markup:
        """Returns an upright dashed line for each (text, x); the first one's text is left of it."""
        first = min((value for _, value in marks), default=0.0)
        found = [(text, self.across(value), 1 if self._x.share(value) < (
            0.25 if value == first else 0.75) else -1) for text, value in marks]  # if there is room
        parts = [element("line", class_="mark", x1=at, x2=at, y1=_TOP, y2=self.bottom)
                 for _, at, _ in found]
        return joined(parts + [
            _label(at + 6 * side, _TOP + 14 + 18 * place, text, "start" if side > 0 else "end",
                   class_="halo") for place, (text, at, side) in enumerate(found)])


def lines(title: str, x_label: str, y_label: str, series: Sequence[Line]) -> Markup:
    """Returns lines over axes that begin at 0, for a page."""
    xs, ys = (np.concatenate([np.asarray(getattr(one, axis), float) for one in series])
              for axis in ("x", "y"))
    finite = ys[np.isfinite(ys)]
    axes = Axes(Axis(x_label, 0.0, xs.max()),
                Axis(y_label, min(0.0, finite.min(initial=0.0)),
                     _rounded_up(finite.max(initial=0.0))))
    return _figure(title, _told(x_label, series), [axes.frame(), axes.drawn(series)])


def file(title: str, x: Axis, y: Axis, series: Sequence[Line],
         marks: Sequence[tuple[str, float]] = ()) -> str:
    """Returns lines over axes, as the content of an SVG file.

    Args:
        marks: (text, x), each an upright dashed line.
    """
    width, height = _LARGE
    axes = Axes(x, y, _LARGE)
    drawing = element("svg", element("title", title), element("desc", _told(x.label, series)),
                      element("style", Markup(style.of_file())),
                      element("rect", width=width, height=height + _TITLE, fill="#fff"),
                      _label(_LEFT - 46, 20, title, "start", font_size=15, font_weight=600),
                      element("g", axes.frame(), axes.drawn(series), axes.marked(marks),
                              transform=f"translate(0 {_TITLE})"),
                      xmlns="http://www.w3.org/2000/svg", role="img",
                      viewBox=f"0 0 {width} {height + _TITLE}", aria_label=title)
    return drawing.replace("><", ">\n<") + "\n"


def reliability(title: str, bins: Bins) -> Markup:
    """Returns bars of accuracy by confidence, with the diagonal on which a calibrated model is."""
    axes, size = Axes(Axis("confidence", 0, 1), Axis("accuracy", 0, 1)), len(bins.counts)
    parts = [axes.frame()]
    for place, (count, confidence, accuracy) in enumerate(
            zip(bins.counts, bins.confidence, bins.accuracy, strict=True)):
        if not count:
            continue
        left, right = axes.across(place / size) + 1, axes.across((place + 1) / size) - 1
        parts.append(element("rect", element("title", f"{count:,} rows: confidence {confidence:.3f}"
                                                      f", accuracy {accuracy:.3f}"),
                             class_="bar", x=left, y=axes.down(accuracy),
                             width=round(right - left, 1),
                             height=round(axes.down(0) - axes.down(accuracy), 1)))
        parts.append(element("circle", class_="dot s2", cx=axes.across(confidence),
                             cy=axes.down(accuracy), r=3))
    parts.append(element("line", class_="line s2", x1=axes.across(0), y1=axes.down(0),
                         x2=axes.across(1), y2=axes.down(1)))
    return _figure(title, "A bar for each range of confidence, as high as the accuracy in it; the "
                "dashed diagonal is perfect calibration", parts)


def scatter(title: str, x_label: str, y_label: str, x: np.ndarray, y: np.ndarray) -> Markup:
    """Returns points, float[N] each, and the diagonal on which x is y."""
    both = np.concatenate([x, y]).astype(float)
    ends = float(both.min()), float(both.max())
    axes = Axes(Axis(x_label, *ends), Axis(y_label, *ends))
    parts = [axes.frame(),
             element("line", class_="line s2", x1=axes.across(ends[0]), y1=axes.down(ends[0]),
                     x2=axes.across(ends[1]), y2=axes.down(ends[1]))]
    parts += [element("circle", class_="point", cx=axes.across(one), cy=axes.down(other), r=3)
              for one, other in zip(x.tolist(), y.tolist(), strict=True)]
    return _figure(title, f"{len(x):,} points; on the dashed diagonal both are the same", parts)


def histogram(title: str, x_label: str, counts: np.ndarray, edges: np.ndarray) -> Markup:
    """Returns bars of int[B] rows between float[B + 1] edges."""
    axes = Axes(Axis(x_label, float(edges[0]), float(edges[-1])),
                Axis("rows", 0, _rounded_up(float(counts.max()))))
    parts = [axes.frame()]
    for count, low, high in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(),
                                strict=True):
        parts.append(element(
            "rect", element("title", f"{low:.4g} to {high:.4g}: {count:,} rows"), class_="bar",
            x=axes.across(low) + 0.5, y=axes.down(count),
            width=max(0.5, round(axes.across(high) - axes.across(low) - 1, 1)),
            height=round(axes.down(0) - axes.down(count), 1)))
    told = f"{counts.sum():,} rows between {edges[0]:.4g} and {edges[-1]:.4g}"
    return _figure(title, told, parts)


def _rounded_up(high: float) -> float:
    """Returns the tick above a value, so that a line ends within the frame."""
    steps = Axis("", 0.0, high).ticks() if high > 0 else [0.0]
    return steps[-1] if len(steps) < 2 or steps[-1] >= high else steps[-1] + steps[1]


def _tick(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.6g}"


def _width(line: Line) -> float:
    return 44 + _LETTER * len(line.name)


def _label(x: float, y: float, text: str, anchor: str, **attributes: Any) -> Markup:
    return element("text", text, x=round(x, 1), y=round(y, 1), text_anchor=anchor, **attributes)


def _told(x_label: str, series: Sequence[Line]) -> str:
    return "; ".join(f"{one.name}: {number(float(one.y[0]))} at {x_label} "
                     f"{number(float(one.x[0]))}, {number(float(one.y[-1]))} at {x_label} "
                     f"{number(float(one.x[-1]))}" for one in series)


def _figure(title: str, told: str, parts: Sequence[Markup]) -> Markup:
    drawing = element("svg", element("title", title), element("desc", told), *parts,
                      viewBox=f"0 0 {_SMALL[0]} {_SMALL[1]}", role="img",
                      aria_label=f"{title}. {told}")
    return element("figure", element("figcaption", title), drawing) + "\n"
