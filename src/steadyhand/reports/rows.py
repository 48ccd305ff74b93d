"""Charts of one row a thing: shares of a whole as a bar, a figure with its interval on a line.

Names stand above their rows, so that they may be long on a phone.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.metrics import Interval
from steadyhand.reports.charts import COLOURS, LARGEST, LETTER, LINE, box, drawing, round_marks, svg
from steadyhand.reports.looks import EDGE, WIDTH, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR, LANE = 14, 18
"""Pixels: how high a bar is, and the lane of an interval."""
INSIDE = WIDTH - 2 * EDGE
DIGITS = 7.0
"""Pixels of a digit, which are narrower than letters are at most."""


@dataclass(frozen=True)
class Group:
    """One bar: its name, and the share of each part by its place, 0 to 1; the rest stays grey."""

    name: str
    shares: Sequence[float]


@dataclass(frozen=True)
class Dot:
    """One row: its name, its figure, and how it looks (0 to 6)."""

    name: str
    value: Interval
    look: int = 0


def bars(
    groups: Sequence[Group], parts: Mapping[str, str], title: str, *, style: str = ""
) -> Markup:
    """Every group as a bar of its parts, their percentages written below.

    `parts` goes from a name to one of the page's colours. `title` is for those who cannot see it;
    `style` is the CSS of a picture on its own.

    Raises `ConfigurationError` for shares that are no parts of a whole.
    """
    for group in groups:
        inside = all(0 <= share <= 1 for share in group.shares)
        if len(group.shares) != len(parts) or not inside or sum(group.shares) > 1 + 1e-9:
            raise ConfigurationError(
                f"The shares of '{group.name}' are {list(group.shares)}; give one of each of "
                f"{', '.join(parts)}, together at most 1."
            )
    names = [_wrapped(group.name, WIDTH - 2 * EDGE) for group in groups]
    each = [LINE * len(lines) * 1.2 + BAR + LINE * 1.6 for lines in names]
    keys = _keys(parts)
    height = EDGE + LINE * 1.4 * len(keys) + sum(each) + EDGE / 2
    with drawing(WIDTH, height) as figure:
        top = float(EDGE)
        for row in keys:
            _legend_row(figure, row, parts, top)
            top += LINE * 1.4
        for group, lines, high in zip(groups, names, each, strict=True):
            under = _write_name(figure, lines, top)
            _bar(figure, group, list(parts.values()), under)
            top += high
    return svg(figure, title, style=style)


def dots(
    rows: Sequence[Dot],
    title: str,
    *,
    x_label: str,
    x_range: tuple[float, float] | None = None,
    reference: float | None = None,
    style: str = "",
) -> Markup:
    """Every row's figure over one axis, with its 95 % interval, drawn and in numbers.

    A line stands at `reference` in every row. `title` is for those who cannot see it; `style` is
    the CSS of a picture on its own.
    """
    numbers = [f"{row.value.mean:.3g} {row.value.bounds('.3g')}" for row in rows]
    names = [
        _wrapped(row.name, INSIDE - LETTER * (len(said) + 2))
        for row, said in zip(rows, numbers, strict=True)
    ]
    each = [LINE * 1.2 * len(lines) + LANE for lines in names]
    span = x_range or _span(rows, reference)
    height = EDGE + sum(each) + 2.8 * LINE
    with drawing(WIDTH, height) as figure:
        place = box(figure, EDGE + 8, 2.8 * LINE, EDGE + 8, EDGE)
        axes = figure.add_axes(place, xlim=span, ylim=(sum(each), 0))
        marks = round_marks(*span)
        axes.set_xticks(list(marks), list(marks.values()))
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.set_xlabel(x_label, loc="right")
        top = 0.0
        for row, lines, said, high in zip(rows, names, numbers, each, strict=True):
            _write_name(figure, lines, EDGE + top)
            at = 1 - (EDGE + top + LINE) / height
            figure.text(1 - EDGE / WIDTH, at, said, ha="right", color=COLOURS["soft"])
            top += high
            lane = (top - LANE, top)
            axes.vlines(list(marks), *lane, colors=COLOURS["line"], linewidth=1)
            if reference is not None:
                axes.vlines(reference, *lane, colors=COLOURS["ink"], linewidth=1.4)
            _interval(axes, row, top - LANE / 2)
    return svg(figure, title, style=style)


def _interval(axes: "Axes", row: Dot, y: float) -> None:
    """A row's marker and bar, as far as they can be drawn."""
    value = row.value
    if abs(value.mean) <= LARGEST:
        low, high = (value.low, value.high) if value.known else 2 * (value.mean,)
        style: dict[str, Any] = {**line_style(row.look), "linestyle": "none"}
        axes.errorbar(
            value.mean,
            y,
            xerr=[[max(value.mean - low, 0)], [max(high - value.mean, 0)]],
            elinewidth=1.8,
            capsize=3,
            **style,
        )


def _span(rows: Sequence[Dot], reference: float | None) -> tuple[float, float]:
    """All intervals and the reference, with a little room around them."""
    ends = [v for row in rows for v in (row.value.mean, row.value.low, row.value.high)]
    seen = [v for v in [*ends, *([] if reference is None else [reference])] if abs(v) <= LARGEST]
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    room = 0.05 * (high - low) or max(0.1 * abs(high), 1e-9)
    return low - room, high + room


def _wrapped(name: str, wide: float) -> list[str]:
    return textwrap.wrap(name, max(int(wide / LETTER), 8)) or [""]


def _write_name(figure: "Figure", lines: Sequence[str], top: float) -> float:
    """Below `top` pixels from above; where the next thing may begin."""
    height = 72 * figure.get_figheight()
    for number, line in enumerate(lines):
        figure.text(EDGE / WIDTH, 1 - (top + LINE * (1 + 1.2 * number)) / height, line)
    return top + LINE * 1.2 * len(lines) + 4


def _keys(parts: Mapping[str, str]) -> list[list[str]]:
    """The names of the parts, as many beside each other as fit."""
    rows, left = list[list[str]](), float("inf")
    for name in parts:
        wide = 18 + LETTER * len(name) + 12
        if left + wide > INSIDE:
            rows.append([])
            left = 0.0
        rows[-1].append(name)
        left += wide
    return rows


def _legend_row(figure: "Figure", row: Sequence[str], parts: Mapping[str, str], top: float) -> None:
    height, left = 72 * figure.get_figheight(), float(EDGE)
    for name in row:
        _rectangle(figure, left, top + 3, 12, LINE - 4, parts[name])
        figure.text((left + 18) / WIDTH, 1 - (top + LINE * 0.85) / height, name)
        left += 18 + LETTER * len(name) + 12


def _bar(figure: "Figure", group: Group, colours: Sequence[str], top: float) -> None:
    """The parts side by side, and each one's percentage below its middle, off the others."""
    height = 72 * figure.get_figheight()
    _rectangle(figure, EDGE, top, INSIDE, BAR, "line")
    left, shown = float(EDGE), list[tuple[float, str]]()
    for share, colour in zip(group.shares, colours, strict=True):
        wide = INSIDE * share
        if share > 0:
            _rectangle(figure, left, top, max(wide - 1, 1), BAR, colour)
            shown.append((left + wide / 2, _percent(share)))
        left += wide
    for (_, words), centre in zip(shown, _off_each_other(shown), strict=True):
        at = 1 - (top + BAR + LINE * 0.95) / height
        figure.text(centre / WIDTH, at, words, ha="center", color=COLOURS["soft"])


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "<1 %"


def _off_each_other(shown: Sequence[tuple[float, str]]) -> list[float]:
    """Centres as near to the wanted ones as fit, in their order."""
    half = [DIGITS * len(words) / 2 + 3 for _, words in shown]
    least, found = float(EDGE), list[float]()
    for (wanted, _), own in zip(shown, half, strict=True):
        found.append(max(wanted, least + own))
        least = found[-1] + own
    most = float(WIDTH - EDGE)
    for number in reversed(range(len(found))):
        found[number] = min(found[number], most - half[number])
        most = found[number] - half[number]
    return found


def _rectangle(
    figure: "Figure", left: float, top: float, wide: float, high: float, colour: str
) -> None:
    from matplotlib.patches import Rectangle

    height = 72 * figure.get_figheight()
    place = (left / WIDTH, 1 - (top + high) / height)
    size = (wide / WIDTH, high / height)
    figure.add_artist(Rectangle(place, *size, color=COLOURS[colour], linewidth=0))
