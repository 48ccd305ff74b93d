"""Points with intervals over a logarithmic axis, in SVG: a score against what it costs.

No colours of its own: CSS classes, as in `chart.py`. It is as narrow as a phone, so that what is
written on it can be read there; the more points, the higher it is.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from steadyhand.evaluation.chart import EDGE, LETTER, LINE, wrapped
from steadyhand.evaluation.metrics import Interval

WIDTH, PLOT_HEIGHT = 400, 240
LEFT, RIGHT, BOTTOM = 44, 16, 44
LABEL_HEIGHT = 14
FEW, MANY = 8, 10
"""Points above which the picture grows; labels of the axis above which only decades have one."""
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

    words = wrapped(title, WIDTH)
    top = 14 + LINE * (len(words) + 1)
    plot = PLOT_HEIGHT + 2 * LABEL_HEIGHT * max(0, len(points) - FEW)
    bottom = top + plot

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - first) / (last - first)
        across = LEFT + share * (WIDTH - LEFT - RIGHT)
        return across, bottom - (y - low) / (high - low) * plot

    shapes = [
        f'<text class="name" x="{EDGE}" y="{LINE * (number + 1)}">{escape(word)}</text>'
        for number, word in enumerate(words)
    ]
    shapes.append(f'<text class="tick" x="{EDGE}" y="{top - 12}">{escape(y_label)}</text>')
    for value in ticks:
        x, _ = place(value, low)
        shapes.append(f'<path class="axis" d="M{x:.1f},{top} V{bottom}"/>')
        if len(ticks) <= MANY or math.log10(value).is_integer():
            shapes.append(
                f'<text class="tick middle" x="{x:.1f}" y="{bottom + 15}">{value:g}</text>'
            )
    for value in (low + share / 4 * (high - low) for share in range(5)):
        _, y = place(ticks[0], value)
        shapes.append(f'<path class="axis" d="M{LEFT},{y:.1f} H{WIDTH - RIGHT}"/>')
        shapes.append(f'<text class="tick end" x="{LEFT - 6}" y="{y + 4:.1f}">{value:.2f}</text>')
    height = bottom + BOTTOM
    shapes.append(
        f'<text class="tick end" x="{WIDTH - RIGHT}" y="{height - 8}">{escape(x_label)}</text>'
    )
    shapes += _points(points, place, (top, bottom))
    inner = f"<style>{style}</style>" if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">{inner}{"".join(shapes)}</svg>'
    )


def _points(points: Sequence[Point], place: Place, room: tuple[float, float]) -> list[str]:
    shapes: list[str] = []
    labels: list[tuple[float, float, float]] = []
    for point in sorted(points, key=lambda p: -p.y.mean):
        x, y = place(point.x, point.y.mean)
        top, bottom = (place(point.x, value)[1] for value in reversed(_ends(point.y)))
        shapes.append(f'<path class="{point.css} range" d="M{x:.1f},{top:.1f} V{bottom:.1f}"/>')
        shapes.append(f'<circle class="dot {point.css}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        wide = LETTER * len(point.name)
        start = x + 8 if x + 8 + wide < WIDTH else max(x - 8 - wide, EDGE)
        taken = [at for begin, end, at in labels if start < end and begin < start + wide]
        line = _free(y + 4, taken, room)
        labels.append((start, start + wide, line))
        shapes.append(f'<text x="{start:.1f}" y="{line:.1f}">{escape(point.name)}</text>')
    return shapes


def _ends(found: Interval) -> tuple[float, float]:
    """Of its line; of a figure without an interval that is a point."""
    if not found.known:
        return found.mean, found.mean
    return found.low, found.high


def _free(
    wanted: float,
    taken: Sequence[float],
    room: tuple[float, float],
) -> float:
    """The line nearest to the wanted one, within the plot, on which a label meets no other."""
    step = LABEL_HEIGHT / 2
    lines = np.arange(wanted - step * ((wanted - room[0]) // step), room[1], step)
    nearest = lines[np.argsort(np.abs(lines - wanted), kind="stable")]
    free = (at for at in nearest if all(abs(at - other) >= LABEL_HEIGHT for other in taken))
    return float(next(free, wanted))


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 times powers of ten around all values, at least two."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [tick * 10.0**decade for decade in range(low - 1, high + 1) for tick in (1, 2, 5)]
    first = max(number for number, tick in enumerate(ticks) if tick < min(values))
    last = min(number for number, tick in enumerate(ticks) if tick > max(values))
    return ticks[first : last + 1]
