"""Pictures of a plane in SVG: rectangles, discs and lines, still or moving. No colours of its own.

Every shape has CSS classes; the page that shows the picture says what they look like.
"""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

Points = NDArray[np.floating]
"""(n, 2), in the plane's own units."""
UNITS = 1000
"""Of the SVG per unit of the plane: with metres, millimetres."""


class Plane:
    """A picture with y upwards. `arena` is x from, x to, y from, y to."""

    def __init__(self, arena: Sequence[float]) -> None:
        self._arena = arena
        self._shapes: list[str] = []

    def rectangle(self, x_from: float, x_to: float, y_from: float, y_to: float, css: str) -> None:
        x, y = self._place(np.array([[x_from, y_to]]))[0]
        size = f'width="{UNITS * (x_to - x_from):.0f}" height="{UNITS * (y_to - y_from):.0f}"'
        self._shapes.append(f'<rect class="{css}" x="{x}" y="{y}" {size}/>')

    def disc(self, x: float, y: float, radius: float, css: str) -> None:
        x, y = self._place(np.array([[x, y]]))[0]
        self._shapes.append(f'<circle class="{css}" cx="{x}" cy="{y}" r="{UNITS * radius:.0f}"/>')

    def line(self, points: Points, css: str) -> None:
        self._shapes.append(f'<polyline class="{css}" points="{self._text(points)}"/>')

    def cross(self, x: float, y: float, size: float, css: str) -> None:
        x, y = self._place(np.array([[x, y]]))[0]
        arm = round(UNITS * size / 2)
        strokes = f"m{-arm},{-arm} l{2 * arm},{2 * arm} m{-2 * arm},0 l{2 * arm},{-2 * arm}"
        self._shapes.append(f'<path class="{css}" d="M{x},{y} {strokes}"/>')

    def moving_line(self, frames: Sequence[Points], css: str, *, seconds: float) -> None:
        """A line that goes through `frames` within `seconds`, rests on the last, and starts again.

        Where nothing moves (a printed page), it is the last frame.
        """
        last = frames[-1]
        values = ";".join(self._text(frame) for frame in [*frames, last])
        times = [*np.linspace(0, 0.7, len(frames)), 1.0]
        self._shapes.append(
            f'<polyline class="{css}" points="{self._text(last)}"><animate attributeName="points" '
            f'dur="{seconds}s" repeatCount="indefinite" values="{values}" '
            f'keyTimes="{";".join(f"{time:.3f}" for time in times)}"/></polyline>'
        )

    def svg(self, title: str) -> Markup:
        """The picture; `title` says what is in it."""
        x_from, x_to, y_from, y_to = self._arena
        box = f"0 0 {UNITS * (x_to - x_from):.0f} {UNITS * (y_to - y_from):.0f}"
        return Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="{}" role="img" aria-label="{}">'
            "<title>{}</title>{}</svg>"
        ).format(box, title, title, Markup("".join(self._shapes)))

    def _place(self, points: Points) -> NDArray[np.int64]:
        x_from, _, _, y_to = self._arena
        moved = np.stack([points[:, 0] - x_from, y_to - points[:, 1]], axis=-1)
        return np.round(UNITS * moved).astype(np.int64)

    def _text(self, points: Points) -> str:
        return " ".join(f"{x},{y}" for x, y in self._place(points))
