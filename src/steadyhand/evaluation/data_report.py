"""The page of a data set: what it holds, what is wrong with it, its trajectories and its frames."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes, Problem
from steadyhand.data.colour import as_pictures, picture_scale
from steadyhand.data.resize import resize_frames
from steadyhand.errors import SteadyhandError, library
from steadyhand.evaluation.chart import Line, chart, least_span, scale_words
from steadyhand.evaluation.report import figure, page, prose, section, table
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


def data_page(
    episodes: Episodes, problems: Sequence[Problem], features: Mapping[str, Mapping[str, Any]]
) -> str:
    """The whole page, complete in itself."""
    lengths = episodes.lengths / episodes.rate_hz
    name = episodes.path.name if episodes.path else "demonstrations"
    tasks = "".join(f"<li>{escape(task)}</li>" for task in episodes.tasks if task)
    bad = {problem.message for problem in problems if problem.kind in ("video", "unreadable")}
    return page(
        name,
        f'<p class="lead">{len(episodes)} episodes of {lengths.min():.1f} to {lengths.max():.1f} s '
        f"at {episodes.rate_hz:g} Hz, {episodes.steps} steps in all "
        f"({escape(episodes.format)} {escape(episodes.version)}).</p>",
        section("Tasks", f"<ul>{tasks}</ul>") if tasks else "",
        _problems(problems),
        _features(features),
        *(_frames(episodes, key, bad) for key, f in features.items() if f["kind"] == "image"),
        *(_trajectories(episodes, key) for key in _drawn(episodes)),
    )


def _problems(problems: Sequence[Problem]) -> str:
    if not problems:
        return section("Problems", "<p>None was found.</p>")
    rows = [[escape(p.kind), prose(p.message)] for p in problems]
    return section(f"Problems: {len(problems)}", table(["kind", "what, and what to do"], rows))


def _features(features: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [escape(key), str(tuple(f["shape"])), str(f["dtype"]), f["kind"]]
        for key, f in features.items()
    ]
    return section("Features", table(["", "shape at a step", "type", "kind"], rows))


def _drawn(episodes: Episodes) -> list[str]:
    shapes = episodes.shapes
    flat = [key for key, s in shapes.items() if len(s) == 1 and 1 <= s[0] <= COLUMNS]
    return sorted(flat, key=lambda key: (key != "action", "state" not in key, key))[:4]


def _trajectories(episodes: Episodes, key: str) -> str:
    """Every number of a feature over time, episodes over one another."""
    try:
        values = episodes.read(key)
    except SteadyhandError as error:
        return section(key, f"<p>{escape(str(error))}</p>")
    chosen = np.unique(np.linspace(0, len(episodes) - 1, OVERLAID).astype(int))
    span = least_span(values)
    charts = []
    for column, name in enumerate(episodes.called(key)):
        lines = []
        for number in chosen:
            path = values[episodes.starts[number] : episodes.ends[number], column]
            picks = np.unique(np.linspace(0, len(path) - 1, POINTS).astype(int))
            lines.append(Line(picks / episodes.rate_hz, path[picks], "one faint"))
        charts.append(chart(lines, name, x_label="s", span=span))
    return section(
        key,
        f'<p class="soft">Episodes over one another, {len(chosen)} of {len(episodes)}. '
        f"{scale_words(span)}</p>",
        f'<div class="grid">{"".join(f"<div>{one}</div>" for one in charts)}</div>',
    )


def _frames(episodes: Episodes, key: str, bad: set[str]) -> str:
    """Contact sheets: one an episode, in two rows from its first picture to its last."""
    array = episodes.arrays[key]
    height, width = fitted((array.shape[1], array.shape[2]), (THUMBNAIL,))
    rows, scale = [], None
    for number in np.unique(np.linspace(0, len(episodes) - 1, SHEETS).astype(int)):
        start, end = int(episodes.starts[number]), int(episodes.ends[number])
        try:
            scale = picture_scale(array) if scale is None else scale
            picked = [
                as_pictures(np.asarray(array[int(i)]), scale, key)
                for i in np.linspace(start, end - 1, TIMES)
            ]
        except SteadyhandError as error:
            if str(error) not in bad:
                rows.append(f"<p>{escape(str(error))}</p>")
            continue
        small = np.stack([resize_frames(p, (height, width)) for p in picked])
        sheet = small.reshape(2, -1, *small.shape[1:])  # (rows, columns, height, width, channels)
        sheet = np.concatenate(np.concatenate(sheet, axis=1), axis=1)
        seconds = (end - start) / episodes.rate_hz
        caption = f"Episode {episodes.number(int(number))}, {seconds:.1f} s"
        rows.append(figure(_image(sheet, caption), caption))
    return section(
        key,
        '<p class="soft">An episode a picture, row by row from its first moment to its last.</p>',
        f'<div class="grid">{"".join(rows)}</div>',
    )


def _image(pixels: NDArray[np.uint8], alt: str) -> str:
    encoded = io.BytesIO()
    picture = library("PIL.Image").fromarray(pixels.squeeze())
    picture.convert("RGB").save(encoded, format="JPEG", quality=85)
    text = base64.b64encode(encoded.getvalue()).decode()
    return f'<img class="sheet" alt="{escape(alt)}" src="data:image/jpeg;base64,{text}">'


def feature_table(episodes: Episodes) -> dict[str, dict[str, Any]]:
    """What `inspect --json` says of each feature."""
    return {
        key: {
            "shape": list(array.shape[1:]),
            "dtype": str(np.dtype(array.dtype)),
            "kind": kind_of(tuple(array.shape[1:])),
            **({"names": list(episodes.names[key])} if key in episodes.names else {}),
        }
        for key, array in episodes.arrays.items()
    }
