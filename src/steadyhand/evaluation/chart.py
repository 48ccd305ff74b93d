"""Line charts in SVG, small enough to stand in rows. No colours of their own: CSS classes.

Everything that is written stands inside the picture, whole: titles take as many lines as they need.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, PLOT_HEIGHT = 320, 104
LETTER, LINE = 7.5, 15
"""Width of a letter and height of a line at the 12 px of `report.SHAPES`."""
EDGE, BOTTOM = 8, 24
DIGITS = 14
"""Of a number beside an axis, at most."""
LEAST = 0.1
"""Of the widest range among charts that stand together: no axis spans less."""


@dataclass(frozen=True)
class Line:
    """One line of a chart: y over x, and the CSS classes it is drawn with."""

    x: NDArray[Any]
    y: NDArray[Any]
    css: str


def least_span(values: NDArray[Any]) -> float:
    """What each axis spans at least where columns of `values` (n, columns) stand side by side."""
    seen = np.ma.masked_invalid(np.asarray(values, np.float64))
    return LEAST * float(np.ma.filled(np.ma.ptp(seen, axis=0), 0.0).max(initial=0.0))


def scale_words(span: float) -> str:
    """How charts that stand together are to be read."""
    return (
        f"Each axis spans at least {span:.3g}, a tenth of the widest range here, so that noise "
        "does not look like motion."
    )


def chart(
    lines: Sequence[Line],
    title: str,
    *,
    x_label: str = "",
    from_zero: bool = False,
    span: float = 0.0,
    style: str = "",
) -> str:
    """All lines over common axes; `style` is CSS for a picture on its own.

    The vertical axis spans at least `span`.
    """
    x_from, x_to = _range([line.x for line in lines])
    y_from, y_to = _range([line.y for line in lines], span)
    y_from = min(0.0, y_from) if from_zero else y_from
    words = wrapped(title, WIDTH)
    ticks = [y_from, (y_from + y_to) / 2, y_to]
    marks = _spelled(ticks)
    left, right = round(EDGE + 4 + LETTER * max(map(len, marks))), WIDTH - EDGE
    top = 14 + LINE * len(words)
    bottom = top + PLOT_HEIGHT
    height = bottom + BOTTOM

    def place(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        across = left + (x - x_from) / (x_to - x_from) * (right - left)
        return np.stack([across, bottom - (y - y_from) / (y_to - y_from) * PLOT_HEIGHT], -1)

    shapes = [
        f'<text class="name" x="{EDGE}" y="{LINE * (number + 1)}">{escape(word)}</text>'
        for number, word in enumerate(words)
    ]
    for value, mark in zip(ticks, marks, strict=True):
        y = place(np.array(x_from), np.array(value))[1]
        shapes.append(f'<path class="axis" d="M{left},{y:.1f} H{right}"/>')
        shapes.append(f'<text class="tick end" x="{left - 4}" y="{y + 4:.1f}">{mark}</text>')
    shapes.append(f'<text class="tick" x="{left}" y="{height - 8}">{x_from:.3g}</text>')
    last = f"{x_to:.3g} {x_label}".strip()
    shapes.append(f'<text class="tick end" x="{right}" y="{height - 8}">{escape(last)}</text>')
    for line in lines:
        points = place(line.x, line.y)
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points[np.isfinite(points).all(-1)])
        shapes.append(f'<polyline class="{line.css}" points="{drawn}"/>')
    inner = f"<style>{style}</style>" if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">{inner}{"".join(shapes)}</svg>'
    )


def wrapped(title: str, width: int) -> list[str]:
    """The lines of a title over a picture of that width."""
    return textwrap.wrap(title, int((width - 2 * EDGE) / LETTER))


def _range(values: Sequence[NDArray[Any]], span: float = 0.0) -> tuple[float, float]:
    together = np.concatenate([np.ravel(part).astype(np.float64) for part in values])
    together = together[np.isfinite(together)]
    low, high = (float(together.min()), float(together.max())) if len(together) else (0.0, 0.0)
    missing = (span or 1.0) if high == low else span - (high - low)
    return low - max(missing, 0.0) / 2, high + max(missing, 0.0) / 2


def _spelled(ticks: Sequence[float]) -> list[str]:
    """Numbers with as many digits as say where they are."""
    near = 0.05 * (ticks[1] - ticks[0])
    enough = (d for d in range(DIGITS) if all(abs(round(t, d) - t) <= near for t in ticks))
    digits = next(enough, DIGITS)
    plain = [f"{tick:.{digits}f}" for tick in ticks]
    return plain if max(map(len, plain)) <= DIGITS else [f"{tick:.3e}" for tick in ticks]
