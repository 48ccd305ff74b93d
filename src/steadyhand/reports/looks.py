"""How up to seven series are told apart: each by its colour, its marker and its dashes at once."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steadyhand.errors import ConfigurationError
from steadyhand.reports.charts import COLOURS, LETTER, LINE, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 350
"""Pixels of a chart that fills a phone from edge to edge: its letters are of twelve there."""
EDGE = 10
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (6, 2),
    (2, 2),
    (6, 2, 2, 2),
    (10, 3),
    (4, 1.5, 1.5, 1.5, 1.5, 1.5),
    (1, 1.5),
)
"""On and off, in pixels."""
SWATCH = 34
"""Pixels of a line with its marker before a name."""
LETTERS = int((WIDTH - 2 * EDGE - SWATCH) / LETTER)
"""Of a name that fits a line; a longer one is wrapped."""


@dataclass(frozen=True)
class Entry:
    """One name of a legend."""

    name: str
    look: int
    dashed: bool = False


def line_style(look: int, *, dashed: bool = False) -> dict[str, Any]:
    """What matplotlib calls the look of a line; `dashed` is its variant, of hollow markers.

    Raises `ConfigurationError` for a look that there is not.
    """
    if not 0 <= look < len(SERIES):
        raise ConfigurationError(
            f"look is {look}; a chart tells {len(SERIES)} series apart: 0 to {len(SERIES) - 1}."
        )
    colour = COLOURS[SERIES[look]]
    return {
        "color": colour,
        "marker": MARKERS[look],
        "markersize": 6.5,
        "markerfacecolor": COLOURS["card"] if dashed else colour,
        "markeredgecolor": colour,
        "markeredgewidth": 1.4,
        "linestyle": (0, (3.0, 3.0) if dashed else DASHES[look] or (1, 0)),
    }


def legend_height(entries: Sequence[Entry]) -> float:
    """Pixels that `legend` takes."""
    lines = sum(max(len(_wrapped(entry.name)) for entry in row) for row in _rows(entries))
    return LINE * 1.25 * lines


def legend(figure: "Figure", entries: Sequence[Entry], top: float) -> None:
    """Write the names, each behind its line, into the lines below `top` pixels from above."""
    from matplotlib.lines import Line2D

    height = 72 * figure.get_figheight()
    for row in _rows(entries):
        left = float(EDGE)
        for entry in row:
            y = 1 - (top + LINE / 2) / height
            across = [(left + part * (SWATCH - 8)) / WIDTH for part in (0, 0.5, 1)]
            style = line_style(entry.look, dashed=entry.dashed)
            figure.add_artist(Line2D(across, [y] * 3, markevery=[1], **style))
            for number, line in enumerate(_wrapped(entry.name)):
                at = 1 - (top + LINE * (0.8 + 1.25 * number)) / height
                figure.text((left + SWATCH) / WIDTH, at, line)
            left += _wide(entry)
        top += LINE * 1.25 * max(len(_wrapped(entry.name)) for entry in row)


def _rows(entries: Sequence[Entry]) -> list[list[Entry]]:
    """As many beside each other as fit."""
    rows, left = list[list[Entry]](), float("inf")
    for entry in entries:
        if left + _wide(entry) > WIDTH - EDGE + 12:
            rows.append([])
            left = EDGE
        rows[-1].append(entry)
        left += _wide(entry)
    return rows


def _wide(entry: Entry) -> float:
    return SWATCH + LETTER * max(map(len, _wrapped(entry.name))) + 12


def _wrapped(name: str) -> list[str]:
    return textwrap.wrap(name, LETTERS) or [""]
