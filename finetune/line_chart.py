"""Line charts as SVG: one file, no network, no script.

    svg("Learning rate", "step", "rate", [Line("linear", [(0, 0.0), (10, 1.0)], "#1f77b4")])
"""

import dataclasses
import math
from collections.abc import Sequence
from html import escape

Point = tuple[float, float]
COLOURS = ("#1f5fa8", "#c8501e", "#2a8a57", "#8a4fa3", "#6b6b6b")  # on white 4.5 : 1 and more
_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 20, 46, 58
_TICKS = 6  # at most, of an axis that is not logarithmic


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: in the legend; empty: not there.
        points: (x, y), x rising.
        colour: as SVG writes it.
        width: of the pen.
    """

    name: str
    points: Sequence[Point]
    colour: str
    width: float = 2.0


@dataclasses.dataclass(frozen=True)
class Axis:
    """An axis: what it measures, and how far it goes.

    Attributes:
        log: whether its ticks are powers of ten.
    """

    label: str
    least: float
    most: float
    log: bool = False

    def share(self, value: float) -> float:
        """Returns how far along the axis a value stands, 0 to 1."""
        value, least, most = ((math.log10(one) if self.log else one)
                              for one in (value, self.least, self.most))
        return (value - least) / ((most - least) or 1.0)

    def ticks(self) -> list[float]:
        """Returns the values that are written beside it."""
        if self.log:
            return [10.0 ** power for power in range(math.ceil(math.log10(self.least) - 1e-9),
                                                     math.floor(math.log10(self.most) + 1e-9) + 1)]
        span = (self.most - self.least) or 1.0
        step = 10.0 ** math.floor(math.log10(span / _TICKS))
        step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= _TICKS)
        first = math.ceil(self.least / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.most / step + 1e-9) + 1)]


def svg(title: str, x: Axis, y: Axis, lines: Sequence[Line],
        marks: Sequence[tuple[str, float]] = ()) -> str:
    """Returns a chart.

    Args:
        marks: (text, x), each an upright dashed line.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'role="img" aria-label="{escape(title)}" font-family="sans-serif" font-size="13" '
        'fill="#222">', f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="22" font-size="16" font-weight="bold">{escape(title)}</text>',
        *_axes(x, y)]
    for line in lines:
        path = " ".join(f"{_across(x, one):.1f},{_up(y, other):.1f}" for one, other in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{line.colour}" '
                     f'stroke-width="{line.width:g}" stroke-linejoin="round"/>')
    parts += [f'<path d="M{_across(x, value):.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#444" '
              'stroke-dasharray="5 4"/>' for _, value in marks]
    parts += [f'<text x="{_across(x, value) - 6:.1f}" y="{_TOP + 14 + 18 * number}" '
              f'text-anchor="end" stroke="#fff" stroke-width="4" paint-order="stroke">'
              f"{escape(text)}</text>" for number, (text, value) in enumerate(marks)]
    return "\n".join([*parts, *_legend([line for line in lines if line.name]), "</svg>"]) + "\n"


def _across(x: Axis, value: float) -> float:
    return _LEFT + x.share(value) * (_WIDTH - _LEFT - _RIGHT)


def _up(y: Axis, value: float) -> float:
    return _HEIGHT - _BOTTOM - y.share(value) * (_HEIGHT - _TOP - _BOTTOM)


def _axes(x: Axis, y: Axis) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for value in x.ticks():
        place = _across(x, value)
        parts += [f'<path d="M{place:.1f} {_TOP}V{bottom}" stroke="#e4e4e4"/>',
                  f'<text x="{place:.1f}" y="{bottom + 20}" text-anchor="middle">{value:.4g}'
                  "</text>"]
    for value in y.ticks():
        place = _up(y, value)
        parts += [f'<path d="M{_LEFT} {place:.1f}H{right}" stroke="#e4e4e4"/>',
                  f'<text x="{_LEFT - 8}" y="{place + 4:.1f}" text-anchor="end">{value:.4g}'
                  "</text>"]
    middle = (_TOP + bottom) / 2
    return [*parts, f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#444"/>',
            f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 14}" text-anchor="middle">'
            f"{escape(x.label)}</text>",
            f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">'
            f"{escape(y.label)}</text>"]


def _legend(lines: Sequence[Line]) -> list[str]:
    parts, place = [], _WIDTH - _RIGHT - sum(34 + 7.5 * len(line.name) for line in lines)
    for line in lines:
        parts += [f'<path d="M{place:.1f} 36h20" stroke="{line.colour}" stroke-width="3"/>',
                  f'<text x="{place + 25:.1f}" y="40">{escape(line.name)}</text>']
        place += 34 + 7.5 * len(line.name)
    return parts
