"""Points with intervals over a logarithmic axis: a score against what it costs.

It is as narrow as a phone, so that what is written on it can be read there; the more points, the
higher it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.charts import COLOURS, LETTER, LINE, box, drawing, svg
from steadyhand.reports.looks import WIDTH

PLOT_HEIGHT = 220
LABEL_HEIGHT = 14
FEW = 8
"""Points above which the picture grows."""


@dataclass(frozen=True)
class Point:
    """One thing that was measured: what it costs, what it achieves, its name, its colour."""

    x: float
    y: Interval
    name: str
    colour: str = "left"


def scatter(
    points: Sequence[Point], title: str, *, x_label: str, y_label: str, style: str = ""
) -> Markup:
    """The picture. Names stand beside their points, moved apart where they would meet.

    `style` is the CSS of a picture on its own.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    left, right = min(p.x for p in points), max(p.x for p in points)
    margin = max(1.2, (6 * left / right) ** 0.5)  # so that two of 1, 2, 5, 10, … are inside
    left, right = left / margin, right * margin
    height = PLOT_HEIGHT + 2 * LABEL_HEIGHT * max(0, len(points) - FEW)
    with drawing(WIDTH, height + 4.4 * LINE) as figure:
        place = box(figure, 44, 2.6 * LINE, 16, 1.8 * LINE)
        axes = figure.add_axes(place, xscale="log", xlim=(left, right), ymargin=0.05)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if right < 1000 * left else (1,)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(y_label, loc="left", color=COLOURS["soft"])
        axes.set_xlabel(x_label, loc="right")
        for point in points:
            low, high = (point.y.low, point.y.high) if point.y.known else 2 * (point.y.mean,)
            axes.errorbar(
                point.x,
                point.y.mean,
                yerr=[[point.y.mean - low], [high - point.y.mean]],
                fmt="o",
                color=COLOURS[point.colour],
                markersize=8,
                markerfacecolor=COLOURS["card"],
                markeredgewidth=2,
            )
        axes.autoscale_view(scalex=False)  # now: names stand where the points then are
        _name(axes, points)
    return svg(figure, title, style=style)


def _name(axes: Any, points: Sequence[Point]) -> None:
    """Write each name beside its point, on the line nearest to it on which it meets no other."""
    height = 72 * axes.figure.get_figheight()
    across = axes.transData + axes.figure.transFigure.inverted()  # to shares of the picture
    bounds = axes.get_position()
    room = (height * bounds.y0, height * bounds.y1 - LABEL_HEIGHT)
    labels: list[tuple[float, float, float]] = []
    for point in sorted(points, key=lambda p: -p.y.mean):
        x, y = across.transform((point.x, point.y.mean)) * (WIDTH, height)
        wide = LETTER * len(point.name)
        start = x + 8 if x + 8 + wide < WIDTH else max(x - 8 - wide, 8)
        taken = [at for begin, end, at in labels if start < end and begin < start + wide]
        line = _free(y - 4, taken, room)
        labels.append((start, start + wide, line))
        axes.figure.text(start / WIDTH, line / height, point.name)


def _free(wanted: float, taken: Sequence[float], room: tuple[float, float]) -> float:
    """The line nearest to the wanted one, within the plot, on which a label meets no other."""
    step = LABEL_HEIGHT / 2
    lines = np.arange(wanted - step * ((wanted - room[0]) // step), room[1], step)
    nearest = lines[np.argsort(np.abs(lines - wanted), kind="stable")]
    free = (at for at in nearest if all(abs(at - other) >= LABEL_HEIGHT for other in taken))
    return float(next(free, wanted))
