"""Points with intervals over a logarithmic axis: a score against what it costs.

It is as narrow as a phone, so that what is written on it can be read there; the more points, the
higher it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.charts import COLOURS, LETTER, LINE, box, drawing, svg

WIDTH, PLOT_HEIGHT = 400, 240
LABEL_HEIGHT = 14
FEW, MANY = 8, 10
"""Points above which the picture grows; labels of the axis above which only decades have one."""


@dataclass(frozen=True)
class Point:
    """One thing that was measured: what it costs, what it achieves, its name, its colour."""

    x: float
    y: Interval
    name: str
    colour: str = "left"

    @property
    def ends(self) -> tuple[float, float]:
        """Of its line; of a figure without an interval that is a point."""
        return (self.y.low, self.y.high) if self.y.known else (self.y.mean, self.y.mean)


def scatter(
    points: Sequence[Point], title: str, *, x_label: str, y_label: str, style: str = ""
) -> Markup:
    """The picture. Names stand beside their points, moved apart where they would meet.

    `style` is the CSS of a picture on its own.
    """
    ticks = _ticks([point.x for point in points])
    low, high = min(point.ends[0] for point in points), max(point.ends[1] for point in points)
    margin = 0.03 * (high - low) or 0.5
    height = PLOT_HEIGHT + 2 * LABEL_HEIGHT * max(0, len(points) - FEW)
    with drawing(WIDTH, height + 4.4 * LINE) as figure:
        place = box(figure, 44, 2.6 * LINE, 16, 1.8 * LINE)
        axes = figure.add_axes(place, xscale="log", xlim=(ticks[0], ticks[-1]))
        axes.set_ylim(low - margin, high + margin)
        axes.minorticks_off()
        said = [len(ticks) <= MANY or math.log10(tick).is_integer() for tick in ticks]
        axes.set_xticks(
            ticks, [f"{t:g}" if shown else "" for t, shown in zip(ticks, said, strict=True)]
        )
        axes.set_title(y_label, loc="left", color=COLOURS["soft"])
        axes.set_xlabel(x_label, loc="right")
        for point in points:
            axes.vlines(point.x, *point.ends, color=COLOURS[point.colour], alpha=0.65)
            axes.plot(
                point.x,
                point.y.mean,
                "o",
                markersize=8,
                markerfacecolor=COLOURS["card"],
                markeredgecolor=COLOURS[point.colour],
                markeredgewidth=2,
            )
        _name(axes, points)
    return svg(figure, title, style=style)


def _name(axes: Any, points: Sequence[Point]) -> None:
    """Write each name beside its point, on the line nearest to it on which it meets no other."""
    bounds = axes.get_window_extent()
    scale = 72 / axes.figure.dpi  # pixels of the display to those of the picture
    labels: list[tuple[float, float, float]] = []
    for point in sorted(points, key=lambda p: -p.y.mean):
        x, y = scale * axes.transData.transform((point.x, point.y.mean))
        wide = LETTER * len(point.name)
        start = x + 8 if x + 8 + wide < WIDTH else max(x - 8 - wide, 8)
        taken = [at for begin, end, at in labels if start < end and begin < start + wide]
        line = _free(y - 4, taken, (scale * bounds.y0, scale * bounds.y1 - LABEL_HEIGHT))
        labels.append((start, start + wide, line))
        axes.figure.text(start / WIDTH, line / (72 * axes.figure.get_figheight()), point.name)


def _free(wanted: float, taken: Sequence[float], room: tuple[float, float]) -> float:
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
