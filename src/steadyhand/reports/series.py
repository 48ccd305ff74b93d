"""Measured series with their intervals: a score over what was varied, up to seven lines of it.

It is as wide as a phone, so that what is written on it can be read there. On the horizontal axis
stand the numbers that were tried, and no others.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.charts import COLOURS, LARGEST, LETTER, LINE, box, drawing, round_marks, svg
from steadyhand.reports.looks import EDGE, WIDTH, Entry, legend, legend_height, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT_HEIGHT, BELOW = 190, 44
APART = 5.0
"""Pixels between two that were measured at the same place, where there is room."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line: what was found at each of its places, and how it looks (0 to 6)."""

    name: str
    x: Sequence[float]
    y: Sequence[Interval]
    look: int
    dashed: bool = False
    """A variant of the line of the same look: dashed, with hollow markers."""


@dataclass(frozen=True)
class _Frame:
    """Where the axes stand and what they span."""

    x: tuple[float, float]
    y: tuple[float, float]
    below: Mapping[float, str]
    beside: Mapping[float, str]
    notes: Sequence[tuple[float, str, float, int]]
    """Of each mark: where it is, its words, the pixel they are centred on, and their line."""
    left: float
    top: float

    @property
    def height(self) -> float:
        return self.top + PLOT_HEIGHT + BELOW


def series(
    lines: Sequence[Series],
    title: str,
    *,
    x_label: str,
    y_label: str,
    x_log: bool = False,
    y_log: bool = False,
    y_range: tuple[float, float] | None = None,
    marks: Mapping[float, str] | None = None,
    style: str = "",
) -> Markup:
    """The picture: means as markers, 95 % intervals as bars, a little apart where they would meet.

    `title` is for those who cannot see it. `marks` are places on the horizontal axis and what is
    said of them; `style` is the CSS of a picture on its own. What is not finite, and on a
    logarithmic axis what is not above 0, is left out.

    Raises `ConfigurationError` for lines that cannot be told apart or of unequal lengths.
    """
    _check(lines)
    entries = [Entry(line.name, line.look, line.dashed) for line in lines]
    shown = entries if len(entries) > 1 or entries[0].name else []
    points = [_points(line, x_log=x_log, y_log=y_log) for line in lines]
    across = [x for found in points for x, *_ in found]
    up = [value for found in points for _, *values in found for value in values]
    top = EDGE + legend_height(shown) + 1.8 * LINE
    frame = _frame(across, y_range or _span(up, log=y_log), top, marks or {}, x_log, y_log)
    with drawing(WIDTH, frame.height) as figure:
        legend(figure, shown, EDGE)
        place = box(figure, frame.left, BELOW, 16, frame.top)
        scales = ("log" if log else "linear" for log in (x_log, y_log))
        axes = figure.add_axes(place, **dict(zip(("xscale", "yscale"), scales, strict=True)))
        _axes(axes, frame, x_label, y_label)
        step = _apart(frame, len(lines), x_log=x_log)
        for number, (line, found) in enumerate(zip(lines, points, strict=True)):
            _draw(axes, line, found, step * (number - (len(lines) - 1) / 2))
    return svg(figure, title, style=style)


def _check(lines: Sequence[Series]) -> None:
    looks = [(line.look, line.dashed) for line in lines]
    if not lines or len(set(looks)) < len(looks):
        raise ConfigurationError("A chart has at least one line, and no two of the same look.")
    for line in lines:
        if len(line.x) != len(line.y):
            raise ConfigurationError(
                f"'{line.name}' has {len(line.x)} places and {len(line.y)} figures; give one each."
            )


def _points(line: Series, *, x_log: bool, y_log: bool) -> list[tuple[float, float, float, float]]:
    """(x, mean, low, high) of all that can be drawn, from left to right."""

    def drawable(value: float, log: bool) -> bool:
        return abs(value) <= LARGEST and (value > 0 or not log)  # false for nan, too

    found = []
    for x, y in sorted(zip(line.x, line.y, strict=True), key=lambda pair: pair[0]):
        if drawable(x, x_log) and drawable(y.mean, y_log):
            low, high = (y.low, y.high) if y.known else (y.mean, y.mean)
            low = low if drawable(low, y_log) else y.mean / 10 if y_log else y.mean
            found.append((float(x), y.mean, low, high if drawable(high, y_log) else y.mean))
    return found


def _span(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """All values, with a little room around them."""
    if not values:
        return (1.0, 10.0) if log else (0.0, 1.0)
    seen = np.log10(values) if log else np.asarray(values, np.float64)
    low, high = float(seen.min()), float(seen.max())
    room = 0.06 * (high - low) or (0.3 if log else max(0.1 * abs(high), 1e-9))
    ends = (low - room, high + room)
    if log:
        return (10 ** ends[0], 10 ** ends[1])
    return (0.0 if low >= 0 and ends[0] < 0 else ends[0], ends[1])


def _frame(
    across: Sequence[float],
    up: tuple[float, float],
    top: float,
    marks: Mapping[float, str],
    x_log: bool,
    y_log: bool,
) -> _Frame:
    """Axes as wide as their marks leave them, and every number where it meets no other."""
    beside = _decades(*up) if y_log else round_marks(*up)
    left = EDGE + 8 + LETTER * max(map(len, beside.values()), default=1)
    place = np.log10 if x_log else np.asarray
    tried = sorted(set(across)) or [1.0]
    seen = [float(place(x)) for x in (*tried, *marks)]
    first, last = min(seen), max(seen)
    wide = WIDTH - left - 16
    room = 0.06 * (last - first) or 0.5
    ends = (first - room, last + room)
    pixels = {x: (float(place(x)) - ends[0]) / (ends[1] - ends[0]) * wide for x in (*tried, *marks)}
    below = _apart_from_each_other({x: pixels[x] for x in tried})
    notes, lines = _notes({x: (pixels[x] + left, words) for x, words in marks.items()})
    ends = (10 ** ends[0], 10 ** ends[1]) if x_log else ends
    return _Frame(ends, up, below, beside, notes, left, top + lines * LINE)


def _apart_from_each_other(pixels: Mapping[float, float]) -> dict[float, str]:
    """The numbers that can stand below the axis, the last and the first among them."""
    chosen = dict[float, str]()
    order = sorted(pixels)
    for x in [order[-1], *order[:-1]]:
        half = LETTER * len(f"{x:.6g}") / 2 + 2
        others = ((pixels[o], LETTER * len(words) / 2 + 2) for o, words in chosen.items())
        if all(abs(pixels[x] - at) >= half + wide for at, wide in others):
            chosen[x] = f"{x:.6g}"
    return dict(sorted(chosen.items()))


def _notes(
    marks: Mapping[float, tuple[float, str]],
) -> tuple[list[tuple[float, str, float, int]], int]:
    """The notes above the plot, off each other; and how many lines they take."""
    ends, found = list[float](), []
    for x, (at, words) in sorted(marks.items()):
        wide = LETTER * len(words)
        start = min(max(at - wide / 2, EDGE), max(WIDTH - EDGE - wide, EDGE))
        line = next((n for n, end in enumerate(ends) if end < start), len(ends))
        ends[line:] = [start + wide + 6, *ends[line + 1 :]]
        found.append((x, words, start + wide / 2, line))
    return found, len(ends)


def _decades(low: float, high: float) -> dict[float, str]:
    """Powers of ten between two; of few, 2 and 5 between them as well."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if high < 200 * low else (1,)
    skip = max(1, (last - first) // 6)
    tens = range(first, last + 1, skip)
    found = (step * 10.0**power for power in tens for step in steps)
    return {value: f"{value:.6g}" for value in found if low <= value <= high}


def _apart(frame: _Frame, count: int, *, x_log: bool) -> float:
    """Pixels between neighbours, so that all at one place stay nearer to it than to the next."""
    place = np.log10 if x_log else np.asarray
    first, last = (float(place(end)) for end in frame.x)
    wide = WIDTH - frame.left - 16
    at = [(float(place(x)) - first) / (last - first) * wide for x in frame.below]
    least = min((b - a for a, b in pairwise(at)), default=wide)
    return min(APART, least / (count + 1))


def _axes(axes: "Axes", frame: _Frame, x_label: str, y_label: str) -> None:
    axes.set(xlim=frame.x, ylim=frame.y)
    for axis, marks in ((axes.xaxis, frame.below), (axes.yaxis, frame.beside)):
        axis.set_ticks(list(marks), list(marks.values()))
        axis.set_ticks([], minor=True)
    axes.tick_params(axis="x", pad=7)  # below the markers of what is 0
    axes.set_xlabel(x_label, loc="right")
    above = frame.height - frame.top + 0.4 * LINE
    lines = max((line for *_, line in frame.notes), default=-1) + 1
    for x, words, centre, line in frame.notes:
        axes.axvline(x, color=COLOURS["soft"], linewidth=1, dashes=(2, 2))
        _write(axes, centre, above + line * LINE, frame, words, "center")
    _write(axes, EDGE, above + (lines + 0.2) * LINE, frame, y_label, "left")


def _write(axes: "Axes", x: float, y: float, frame: _Frame, words: str, align: str) -> None:
    """At so many pixels from the lower left corner."""
    place = (x / WIDTH, y / frame.height)
    axes.figure.text(*place, words, ha=align, color=COLOURS["soft"])


def _draw(
    axes: "Axes", line: Series, found: Iterable[tuple[float, float, float, float]], shift: float
) -> None:
    """One line, moved sideways by so many pixels."""
    from matplotlib.transforms import ScaledTranslation

    x, mean, low, high = np.array(list(found) or [(np.nan,) * 4]).T
    beside = ScaledTranslation(shift / 72, 0, axes.figure.dpi_scale_trans)
    style: dict[str, Any] = line_style(line.look, dashed=line.dashed)
    bars = {"elinewidth": 1.4, "capsize": 2.5, "capthick": 1.4, "ecolor": style["color"]}
    axes.errorbar(
        x,
        mean,
        yerr=[np.maximum(mean - low, 0), np.maximum(high - mean, 0)],
        transform=axes.transData + beside,
        linewidth=1.6,
        clip_on=False,
        **bars,
        **style,
    )
