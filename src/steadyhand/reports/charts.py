"""Charts, anything with axes, as SVG in one style: matplotlib draws them, without its pyplot.

Their colours are those of the page, which follows the reader's light or dark setting; text stays
text. A figure is as wide as it stands on a phone, so that its letters can be read there.
"""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, PLOT_HEIGHT, LINE = 320, 104, 15
"""Pixels of a small chart, as wide as a cell of a page's grid; LINE is a line of text."""
LETTER = 7.5
"""Pixels that a letter takes at most, on average."""
SERIES = ("left", "right", "third", "fourth", "fifth", "sixth", "seventh")
"""Told apart by those who see fewer colours too, in light and in dark."""
NAMES = ("ink", "soft", "line", "card", *SERIES, "bad", "band")
COLOURS = {name: f"#{n:02x}{n:02x}{n:02x}" for n, name in enumerate(NAMES, 1)}
"""What matplotlib draws in; in the SVG each is the colour that the page calls so."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "steadyhand",
    "text.usetex": False,
    "text.parse_math": False,  # a name may hold a dollar
    "text.color": COLOURS["ink"],
    "font.size": 12.0,
    "axes.titlesize": 12.0,
    "axes.labelcolor": COLOURS["soft"],
    "axes.titlecolor": COLOURS["ink"],
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["line"],
    "grid.linewidth": 0.8,
    **{f"axes.spines.{side}": False for side in ("left", "right", "top", "bottom")},
    **{f"{axis}tick.labelcolor": COLOURS["soft"] for axis in "xy"},
    **{f"{axis}tick.{kind}.size": 0 for axis in "xy" for kind in ("major", "minor")},
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}
SUPERFLUOUS = [
    re.compile(r"<metadata>.*?</metadata>", re.S),
    re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.S),
    re.compile(r' id="(?![mp][0-9a-f]{10}")[^"]*"'),  # other ids are used by nobody
    re.compile(r' transform="rotate\(-0 [^"]*\)"'),
    re.compile(r"font-family: [^;]*; "),
]
"""Of what matplotlib writes: where it comes from, and what the page's style says."""
LEAST = 0.1
"""Of the widest range among charts that stand together: no axis spans less."""
LARGEST = 1e300
"""Numbers beyond are drawn at the edge."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a chart: y over x, in one of the page's colours."""

    x: NDArray[Any]
    y: NDArray[Any]
    colour: str
    opacity: float = 1.0
    width: float = 1.6


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
) -> Markup:
    """All lines over common axes; the vertical one spans at least `span`. What `title` says is
    for those who cannot see the picture: others read it above.
    """
    across, up = _range([line.x for line in lines]), _range([line.y for line in lines], span)
    up = (min(0.0, up[0]), up[1]) if from_zero else up
    with drawing(WIDTH, PLOT_HEIGHT + 3 * LINE) as figure:
        marks, below = round_marks(*up), round_marks(*across)
        left = 12 + LETTER * max(map(len, marks.values()))
        axes = figure.add_axes(box(figure, left, 2.4 * LINE, 16, 8), xlim=across, ylim=up)
        axes.set_yticks(list(marks), list(marks.values()))
        axes.set_xticks(list(below), list(below.values()))
        axes.set_xlabel(x_label, loc="right", labelpad=1)
        for line in lines:
            axes.plot(
                _drawable(line.x),
                _drawable(line.y),
                color=COLOURS[line.colour],
                alpha=line.opacity,
                linewidth=line.width,
                clip_on=False,
            )
    return svg(figure, title)


@contextmanager
def drawing(width: float, height: float) -> Iterator["Figure"]:
    """A figure of so many pixels, and the style to draw into it with."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        yield Figure(figsize=(width / 72, height / 72))


def svg(figure: "Figure", title: str, *, style: str = "") -> Markup:
    """The figure as SVG, the same for the same figure; `title` says what is in it.

    `style` is the CSS of a picture on its own.
    """
    import matplotlib as mpl

    written = io.StringIO()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # measured in a font that has not all of them
        figure.savefig(written, format="svg", dpi=200)
    text = written.getvalue()
    for superfluous in SUPERFLUOUS:
        text = superfluous.sub("", text)
    text = re.sub(r' d="[^"]*"', _rounded, text)
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    text = text[text.index("viewBox") :]
    inner = f"<style>{style}</style>" if style else ""
    opening = Markup(
        '<svg class="chart" role="img" aria-label="{}" xmlns:xlink="http://www.w3.org/1999/xlink" '
    ).format(title)
    start = text.index(">") + 1
    return Markup(f"{opening}{text[:start]}{inner}{text[start:]}")


def box(
    figure: "Figure", left: float, bottom: float, right: float, top: float
) -> tuple[float, float, float, float]:
    """Where axes stand that leave so many pixels free on each side, as matplotlib says it."""
    width, height = 72 * figure.get_figwidth(), 72 * figure.get_figheight()
    inside = (width - left - right) / width, (height - bottom - top) / height
    return left / width, bottom / height, *inside


def _range(values: Sequence[NDArray[Any]], span: float = 0.0) -> tuple[float, float]:
    together = np.concatenate([_drawable(np.ravel(part)) for part in values])
    together = together[np.isfinite(together)]
    low, high = (float(together.min()), float(together.max())) if len(together) else (0.0, 0.0)
    least = max(span or float(high == low), 1e-12 * max(abs(low), abs(high)))
    missing = max(least - (high - low), 0.0)
    return low - missing / 2, high + missing / 2


def _drawable(values: NDArray[Any]) -> NDArray[np.float64]:
    numbers = np.asarray(values, np.float64)
    return np.where(np.isfinite(numbers), np.clip(numbers, -LARGEST, LARGEST), np.nan)


def round_marks(low: float, high: float) -> dict[float, str]:
    """Round numbers between two, with as many digits as tell them apart."""
    from matplotlib.ticker import MaxNLocator

    ticks = [float(tick) + 0.0 for tick in MaxNLocator(4).tick_values(low, high)]
    return {tick: f"{tick:.12g}" for tick in ticks if low <= tick <= high}


def _rounded(path: re.Match[str]) -> str:
    """The path to a tenth of a pixel."""
    return re.sub(r"\d+\.\d+", lambda n: f"{float(n[0]):.1f}", path[0]).replace(" \n", " ")
