"""Charts as inline SVG: pure functions of numbers that return Markup, without scripts.

    lines("Loss", "step", "loss", [("train", [0, 20, 40], [1.1, 0.7, 0.4])])

Each has a title and a description for those who cannot see it. Colours are classes of the page's
style sheet, for light and dark; a second line is dashed, so that colour is not all that tells.
"""

import math
from collections.abc import Sequence

import numpy as np

from finetune.calibration import Bins
from finetune.report.markup import Markup, element, joined, number

_WIDTH, _HEIGHT = 460, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 24, 42

Series = tuple[str, Sequence[float], Sequence[float]]  # what it is called, x, y


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Returns round numbers (1, 2 or 5 times a power of 10 apart) from low to high."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


class Axes:
    """A frame with ticks: places values on the drawing.

    Args:
        x, y: the values at both ends of each axis; where they are one, there is room around it.
    """

    def __init__(self, x: tuple[float, float], y: tuple[float, float]):
        self._x, self._y = map(_roomy, (x, y))

    def across(self, value: float) -> float:
        """Returns the place of an x, in units of the drawing from the left."""
        low, high = self._x
        return round(_LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT), 1)

    def down(self, value: float) -> float:
        """Returns the place of a y, in units of the drawing from the top."""
        low, high = self._y
        return round(_HEIGHT - _BOTTOM - (value - low) / (high - low)
                     * (_HEIGHT - _TOP - _BOTTOM), 1)

    def frame(self, x_label: str, y_label: str) -> Markup:
        """Returns grid lines, numbers and the names of the axes."""
        parts = []
        for value in ticks(*self._x):
            at = self.across(value)
            parts.append(element("line", class_="grid", x1=at, x2=at, y1=_TOP,
                                 y2=_HEIGHT - _BOTTOM))
            parts.append(_label(at, _HEIGHT - _BOTTOM + 15, _tick(value), "middle"))
        for value in ticks(*self._y):
            at = self.down(value)
            parts.append(element("line", class_="grid", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=at, y2=at))
            parts.append(_label(_LEFT - 6, at + 4, _tick(value), "end"))
        parts.append(_label((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, x_label, "middle"))
        parts.append(_label(_LEFT - 46, 14, y_label, "start"))
        return joined(parts)


def lines(title: str, x_label: str, y_label: str, series: Sequence[Series]) -> Markup:
    """Returns lines over a common axis; the second one is dashed and named like the first."""
    xs, ys = (np.concatenate([np.asarray(one[axis], float) for one in series]) for axis in (1, 2))
    finite = ys[np.isfinite(ys)]
    axes = Axes((0.0, xs.max()), (min(0.0, finite.min(initial=0.0)),
                                  _rounded_up(finite.max(initial=0.0))))
    parts, told = [axes.frame(x_label, y_label)], []
    for place, (called, x, y) in enumerate(series):
        points = [(axes.across(one), axes.down(other)) for one, other in zip(x, y, strict=True)
                  if math.isfinite(other)]
        style = f"line s{place % 2 + 1}"
        if len(points) == 1:
            parts.append(element("circle", class_=f"dot s{place % 2 + 1}", cx=points[0][0],
                                 cy=points[0][1], r=4))
        parts.append(element("polyline", class_=style,
                             points=" ".join(f"{one:g},{other:g}" for one, other in points)))
        at = _WIDTH - _RIGHT - 150
        if len(series) > 1:
            parts.append(element("line", class_=style, x1=at, x2=at + 26, y1=_TOP + 10 + 16 * place,
                                 y2=_TOP + 10 + 16 * place))
            parts.append(_label(at + 32, _TOP + 14 + 16 * place, called, "start"))
        told.append(f"{called}: {number(float(y[0]))} at {x_label} {number(float(x[0]))}, "
                    f"{number(float(y[-1]))} at {x_label} {number(float(x[-1]))}")
    return _svg(title, "; ".join(told), parts)


def reliability(title: str, bins: Bins) -> Markup:
    """Returns bars of accuracy by confidence, with the diagonal on which a calibrated model is."""
    axes, size = Axes((0, 1), (0, 1)), len(bins.counts)
    parts = [axes.frame("confidence", "accuracy")]
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
    return _svg(title, "A bar for each range of confidence, as high as the accuracy in it; the "
                "dashed diagonal is perfect calibration", parts)


def scatter(title: str, x_label: str, y_label: str, x: np.ndarray, y: np.ndarray) -> Markup:
    """Returns points, float[N] each, and the diagonal on which x is y."""
    both = np.concatenate([x, y]).astype(float)
    ends = float(both.min()), float(both.max())
    axes = Axes(ends, ends)
    parts = [axes.frame(x_label, y_label),
             element("line", class_="line s2", x1=axes.across(ends[0]), y1=axes.down(ends[0]),
                     x2=axes.across(ends[1]), y2=axes.down(ends[1]))]
    parts += [element("circle", class_="point", cx=axes.across(one), cy=axes.down(other), r=3)
              for one, other in zip(x.tolist(), y.tolist(), strict=True)]
    return _svg(title, f"{len(x):,} points; on the dashed diagonal both are the same", parts)


def histogram(title: str, x_label: str, counts: np.ndarray, edges: np.ndarray) -> Markup:
    """Returns bars of int[B] rows between float[B + 1] edges."""
    axes = Axes((float(edges[0]), float(edges[-1])), (0, _rounded_up(float(counts.max()))))
    parts = [axes.frame(x_label, "rows")]
    for count, low, high in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(),
                                strict=True):
        parts.append(element(
            "rect", element("title", f"{low:.4g} to {high:.4g}: {count:,} rows"), class_="bar",
            x=axes.across(low) + 0.5, y=axes.down(count),
            width=max(0.5, round(axes.across(high) - axes.across(low) - 1, 1)),
            height=round(axes.down(0) - axes.down(count), 1)))
    return _svg(title, f"{counts.sum():,} rows between {edges[0]:.4g} and {edges[-1]:.4g}", parts)


def _rounded_up(high: float) -> float:
    """Returns the tick above a value, so that a line ends within the frame."""
    steps = ticks(0.0, high)
    return steps[-1] if len(steps) < 2 or steps[-1] >= high else steps[-1] + steps[1]


def _roomy(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = float(ends[0]), float(ends[1])
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _tick(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.6g}"


def _label(x: float, y: float, text: str, anchor: str) -> Markup:
    return element("text", text, x=round(x, 1), y=round(y, 1), text_anchor=anchor)


def _svg(title: str, told: str, parts: Sequence[Markup]) -> Markup:
    drawing = element("svg", element("title", title), element("desc", told), *parts,
                      viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img",
                      aria_label=f"{title}. {told}")
    return element("figure", element("figcaption", title), drawing) + "\n"
