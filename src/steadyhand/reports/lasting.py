"""Episodes as bars of their length: where nothing moves in them, and which are marked as failed."""

from collections.abc import Sequence

from markupsafe import Markup

from steadyhand.data import Episodes, Problem
from steadyhand.data.idle import Stretch, still_steps, stretches
from steadyhand.data.problems.sample import of_numbers, plain
from steadyhand.reports.charts import COLOURS, LINE, box, drawing, round_marks, svg
from steadyhand.reports.looks import WIDTH
from steadyhand.reports.sheets import evenly

MOST = 40
"""Episodes that are drawn, those that are told of first."""
ROW, BAR = 10, 0.64
"""Pixels of a row, and the part of it that a bar fills."""
LEFT = 44
LEGEND = {"moves": "left", "nothing moves": "soft", "marked as failed": "bad"}


def lasting(episodes: Episodes, problems: Sequence[Problem]) -> dict[str, object] | None:
    """The picture and its words; None where no rest and no failure is told of."""
    kinds = {problem.kind for problem in problems} & {"idle", "failed"}
    if not kinds:
        return None
    few = of_numbers(episodes, plain(episodes, episodes.arrays)) if "idle" in kinds else episodes
    found = stretches(few, still_steps(few)) if "idle" in kinds else []
    failed = {place for place, mark in enumerate(few.success) if mark is False}
    told = sorted({one.episode for one in found} | failed)
    others = [place for place in range(len(few)) if place not in set(told)]
    places = [told[i] for i in evenly(len(told), MOST)] if told else []
    room = MOST - len(places)
    places += [others[i] for i in evenly(len(others), room)] if others and room else []
    some = (len(failed & set(places)) < len(places), bool(found), bool(failed))
    return {
        "picture": bars(few, sorted(places), found, failed),
        "legend": {w: c for (w, c), is_there in zip(LEGEND.items(), some, strict=True) if is_there},
        "said": f"{len(places)} of {len(episodes)} episodes, by their numbers.",
    }


def bars(
    episodes: Episodes, places: Sequence[int], found: Sequence[Stretch], failed: set[int]
) -> Markup:
    """A bar an episode over seconds, with the stretches in which nothing moves."""
    rate = episodes.rate_hz
    longest = float(episodes.lengths[list(places)].max()) / rate
    rows = {place: row for row, place in enumerate(places)}
    with drawing(WIDTH, ROW * len(places) + 2.4 * LINE + 8) as figure:
        axes = figure.add_axes(
            box(figure, LEFT, 2.4 * LINE, 16, 8),
            xlim=(0, longest),
            ylim=(len(places) - 0.5, -0.5),
        )
        below = round_marks(0, longest)
        axes.set_xticks(list(below), list(below.values()))
        axes.set_xlabel("s", loc="right", labelpad=1)
        shown = range(0, len(places), -(-LINE // ROW))
        axes.set_yticks(shown, [str(episodes.number(places[row])) for row in shown])
        axes.grid(visible=False, axis="y")
        for place, row in rows.items():
            colour = COLOURS[LEGEND["marked as failed" if place in failed else "moves"]]
            axes.barh(row, float(episodes.lengths[place]) / rate, BAR, color=colour)
        for one in found:
            if one.episode in rows:
                left, width = one.start / rate, one.steps / rate
                axes.barh(
                    rows[one.episode], width, BAR, left=left, color=COLOURS[LEGEND["nothing moves"]]
                )
    return svg(figure, "how long episodes last, and where nothing moves in them")
