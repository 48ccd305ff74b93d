"""The page of a data set: what it holds, what is wrong with it, its trajectories and its frames."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from steadyhand.data import Episodes, Problem
from steadyhand.data.colour import as_pictures, picture_scale
from steadyhand.data.problems.sample import of_numbers
from steadyhand.data.resize import resize_frames
from steadyhand.errors import SteadyhandError, library
from steadyhand.reports.charts import Line, chart, least_span, scale_words
from steadyhand.reports.page import page, prose
from steadyhand.sizes import fitted, kind_of

OVERLAID = 24
"""Episodes drawn over one another."""
COLUMNS = 64
"""Features with more numbers than this are not drawn."""
POINTS = 200
"""Of one line: more are not seen."""
SHEETS, TIMES = 8, 6
"""Episodes of which pictures are shown, and moments of each."""
THUMBNAIL = 112
"""Pixels of the shorter side."""


def data_page(episodes: Episodes, problems: Sequence[Problem]) -> str:
    """The whole page, complete in itself."""
    told = {problem.message for problem in problems if problem.kind in ("video", "unreadable")}
    kinds = {key: kind_of(shape) for key, shape in episodes.shapes.items()}
    return page(
        "data",
        title=episodes.path.name if episodes.path else "demonstrations",
        episodes=episodes,
        seconds=episodes.lengths / episodes.rate_hz,
        tasks=[task for task in episodes.tasks if task],
        problems=[(problem.kind, prose(problem.message)) for problem in problems],
        features=[
            (key, str(episodes.shapes[key]), str(np.dtype(episodes.arrays[key].dtype)), kind)
            for key, kind in kinds.items()
        ],
        cameras=[_camera(episodes, key, told) for key, kind in kinds.items() if kind == "image"],
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
    chosen = _spread(len(episodes), OVERLAID)
    span = least_span(values)
    charts = []
    for column, name in enumerate(episodes.called(key)):
        lines = []
        for number in chosen:
            path = values[episodes.starts[number] : episodes.ends[number], column]
            picks = _spread(len(path), POINTS)
            x = picks / episodes.rate_hz
            lines.append(Line(x=x, y=path[picks], colour="left", opacity=0.35))
        charts.append((name, chart(lines, name, x_label="s", span=span)))
    overlaid = f"Episodes over one another, {len(chosen)} of {whole}."
    return key, charts, f"{overlaid} {scale_words(span)}"


def _camera(
    episodes: Episodes, key: str, told: set[str]
) -> tuple[str, list[tuple[str, str]], list[str]]:
    """(feature, (caption, JPEG) of contact sheets, why there are none of others).

    A sheet is an episode, in two rows from its first picture to its last.
    """
    array = episodes.arrays[key]
    size = fitted((array.shape[1], array.shape[2]), (THUMBNAIL,))
    sheets, failures, scale = list[tuple[str, str]](), list[str](), None
    for number in _spread(len(episodes), SHEETS):
        start, end = int(episodes.starts[number]), int(episodes.ends[number])
        try:
            scale = picture_scale(array) if scale is None else scale
            picked = [
                as_pictures(np.asarray(array[int(i)]), scale, key)
                for i in np.linspace(start, end - 1, TIMES)
            ]
        except SteadyhandError as error:
            failures += [str(error)] if str(error) not in told else []
            continue
        small = np.stack([resize_frames(picture, size) for picture in picked])
        sheet = small.reshape(2, -1, *small.shape[1:])  # (rows, columns, height, width, channels)
        sheet = np.concatenate(np.concatenate(sheet, axis=1), axis=1)
        seconds = (end - start) / episodes.rate_hz
        sheets.append((f"Episode {episodes.number(int(number))}, {seconds:.1f} s", _jpeg(sheet)))
    return key, sheets, failures


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of `count` places, from the first to the last."""
    return np.unique(np.linspace(0, count - 1, most).astype(int))


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    encoded = io.BytesIO()
    picture = library("PIL.Image").fromarray(pixels.squeeze())
    picture.convert("RGB").save(encoded, format="JPEG", quality=85)
    return base64.b64encode(encoded.getvalue()).decode()
