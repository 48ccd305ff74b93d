"""Points with intervals over a logarithmic axis, in SVG: a score against what it costs.

No colours of its own: CSS classes, as in `chart.py`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from steadyhand.evaluation.metrics import Interval

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 30, 44
LABEL_HEIGHT = 14


Place = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Point:
    """One thing that was measured: what it costs, what it achieves, its name, its CSS classes."""

    x: float
    y: Interval
    name: str
    css: str = "one"


def scatter(
    points: Sequence[Point], title: str, *, x_label: str, y_label: str, style: str = ""
) -> str:
    """The picture. Names stand beside their points, moved apart where they would meet."""
    ticks = _ticks([point.x for point in points])
    first, last = math.log10(ticks[0]), math.log10(ticks[-1])
    low = min(_ends(point.y)[0] for point in points)
    high = max(_ends(point.y)[1] for point in points)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - first) / (last - first)
        across = LEFT + share * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    shapes = [f'<text class="name" x="{LEFT}" y="16">{escape(title)}</text>']
    for value in ticks:
        x, _ = place(value, low)
        shapes.append(f'<path class="axis" d="M{x:.1f},{TOP} V{HEIGHT - BOTTOM}"/>')
        shapes.append(
            f'<text class="tick middle" x="{x:.1f}" y="{HEIGHT - BOTTOM + 15}">{value:g}</text>'
        )
    for value in (low + share / 4 * (high - low) for share in range(5)):
        _, y = place(ticks[0], value)
        shapes.append(f'<path class="axis" d="M{LEFT},{y:.1f} H{WIDTH - RIGHT}"/>')
        shapes.append(f'<text class="tick end" x="{LEFT - 6}" y="{y + 4:.1f}">{value:.2f}</text>')
    shapes.append(
        f'<text class="tick end" x="{WIDTH - RIGHT}" y="{HEIGHT - 8}">{escape(x_label)}</text>'
    )
    shapes.append(f'<text class="tick" x="6" y="{HEIGHT - 8}">{escape(y_label)}</text>')
    shapes += _points(points, place)
    inner = f"<style>{style}</style>" if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{inner}{"".join(shapes)}</svg>'
    )


def _points(points: Sequence[Point], place: Place) -> list[str]:
    shapes: list[str] = []
    labels: list[tuple[float, float, float]] = []
    for point in sorted(points, key=lambda p: -p.y.mean):
        x, y = place(point.x, point.y.mean)
        top, bottom = (place(point.x, value)[1] for value in reversed(_ends(point.y)))
        shapes.append(f'<path class="{point.css} faint" d="M{x:.1f},{top:.1f} V{bottom:.1f}"/>')
        shapes.append(f'<circle class="dot {point.css}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        wide = 6.2 * len(point.name)
        start = x + 8 if x + 8 + wide < WIDTH else x - 8 - wide
        line = y + 4
        while any(
            abs(line - other) < LABEL_HEIGHT and start < end and begin < start + wide
            for begin, end, other in labels
        ):
            line += LABEL_HEIGHT / 2
        labels.append((start, start + wide, line))
        shapes.append(f'<text x="{start:.1f}" y="{line:.1f}">{escape(point.name)}</text>')
    return shapes


def _ends(found: Interval) -> tuple[float, float]:
    """Of its line; of a figure without an interval that is a point."""
    if found.low is None or found.high is None:
        return found.mean, found.mean
    return found.low, found.high


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 times powers of ten around all values, at least two."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [tick * 10.0**decade for decade in range(low - 1, high + 1) for tick in (1, 2, 5)]
    first = max(number for number, tick in enumerate(ticks) if tick < min(values))
    last = min(number for number, tick in enumerate(ticks) if tick > max(values))
    return ticks[first : last + 1]
