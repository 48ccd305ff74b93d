"""The page of a data set: what it holds, what is wrong with it, its trajectories and its frames."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from steadyhand.data import Episodes, Problem
from steadyhand.data.problem import is_note
from steadyhand.data.problems.sample import of_numbers
from steadyhand.errors import SteadyhandError
from steadyhand.reports.charts import Line, chart, least_span, scale_words
from steadyhand.reports.lasting import lasting
from steadyhand.reports.page import page, prose
from steadyhand.reports.sheets import evenly, sheets

OVERLAID = 24
"""Episodes drawn over one another."""
COLUMNS = 64
"""Features with more numbers than this are not drawn."""
POINTS = 200
"""Of one line: more are not seen."""


def data_page(episodes: Episodes, problems: Sequence[Problem]) -> str:
    """The whole page, complete in itself."""
    told = {problem.message for problem in problems if problem.kind in ("video", "unreadable")}
    kinds = {key: episodes.kind(key) for key in episodes.arrays}
    return page(
        "data",
        title=episodes.path.name if episodes.path else "demonstrations",
        episodes=episodes,
        seconds=episodes.lengths / episodes.rate_hz,
        tasks=[task for task in episodes.tasks if task],
        problems=[(p.kind, prose(p.message)) for p in problems if not is_note(p, episodes.remarks)],
        notes=[(p.kind, prose(p.message)) for p in problems if is_note(p, episodes.remarks)],
        lasting=lasting(episodes, problems),
        features=[
            (key, str(episodes.shapes[key]), str(np.dtype(episodes.arrays[key].dtype)), kind)
            for key, kind in kinds.items()
        ],
        cameras=[
            sheets(episodes, key, told) for key, kind in kinds.items() if kind in ("image", "depth")
        ],
        trajectories=[_trajectories(episodes, key) for key in _drawn(episodes)],
    )


def _drawn(episodes: Episodes) -> list[str]:
    shapes = episodes.shapes
    flat = [key for key, s in shapes.items() if len(s) == 1 and 1 <= s[0] <= COLUMNS]
    return sorted(flat, key=lambda key: (key != "action", "state" not in key, key))[:4]


def _trajectories(episodes: Episodes, key: str) -> tuple[str, list[tuple[str, Markup]], str]:
    """(feature, (name, chart) of each of its numbers over time, how they are to be read)."""
    whole, episodes = len(episodes), of_numbers(episodes, [key])
    try:
        values = episodes.read(key)
    except SteadyhandError as error:
        return key, [], str(error)
    chosen = evenly(len(episodes), OVERLAID)
    span = least_span(values)
    charts = []
    for column, name in enumerate(episodes.called(key)):
        lines = []
        for number in chosen:
            path = values[episodes.starts[number] : episodes.ends[number], column]
            picks = evenly(len(path), POINTS)
            x = picks / episodes.rate_hz
            lines.append(Line(x=x, y=path[picks], colour="left", opacity=0.35))
        charts.append((name, chart(lines, name, x_label="s", span=span)))
    overlaid = f"Episodes over one another, {len(chosen)} of {whole}."
    return key, charts, f"{overlaid} {scale_words(span)}"
