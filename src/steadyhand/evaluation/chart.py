"""Line charts in SVG, small enough to stand in rows. No colours of their own: CSS classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 150
MARGIN = {"left": 46, "right": 8, "top": 22, "bottom": 24}


@dataclass(frozen=True)
class Line:
    """One line of a chart: y over x, and the CSS classes it is drawn with."""

    x: NDArray[Any]
    y: NDArray[Any]
    css: str


def chart(
    lines: Sequence[Line],
    title: str,
    *,
    x_label: str = "",
    from_zero: bool = False,
    style: str = "",
) -> str:
    """All lines over common axes; `style` is CSS for a picture on its own."""
    x_from, x_to = _range([line.x for line in lines])
    y_from, y_to = _range([line.y for line in lines])
    y_from = min(0.0, y_from) if from_zero else y_from
    left, top = MARGIN["left"], MARGIN["top"]
    right, bottom = WIDTH - MARGIN["right"], HEIGHT - MARGIN["bottom"]

    def place(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return (
            left + (x - x_from) / (x_to - x_from) * (right - left),
            bottom - (y - y_from) / (y_to - y_from) * (bottom - top),
        )

    shapes = [f'<text class="name" x="{left}" y="14">{escape(title)}</text>']
    for value in (y_from, (y_from + y_to) / 2, y_to):
        y = place(np.array(x_from), np.array(value))[1]
        shapes.append(f'<path class="axis" d="M{left},{y:.1f} H{right}"/>')
        shapes.append(f'<text class="tick end" x="{left - 5}" y="{y + 4:.1f}">{value:.3g}</text>')
    shapes.append(f'<text class="tick" x="{left}" y="{HEIGHT - 8}">{x_from:.3g}</text>')
    last = f"{x_to:.3g} {x_label}".strip()
    shapes.append(f'<text class="tick end" x="{right}" y="{HEIGHT - 8}">{escape(last)}</text>')
    for line in lines:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(*place(line.x, line.y), strict=True))
        shapes.append(f'<polyline class="{line.css}" points="{points}"/>')
    inner = f"<style>{style}</style>" if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{inner}{"".join(shapes)}</svg>'
    )


def _range(values: Sequence[NDArray[Any]]) -> tuple[float, float]:
    together = np.concatenate([np.ravel(part) for part in values])
    low, high = float(together.min()), float(together.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)
