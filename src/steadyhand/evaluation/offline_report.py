"""The page of an offline judgement: errors beside the baselines, and trajectories to look at."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.evaluation.chart import Line, chart, least_span, scale_words
from steadyhand.evaluation.offline import HeldOut, Judgement
from steadyhand.evaluation.report import figure, page, prose, section, table
from steadyhand.evaluation.verdict import verdict
from steadyhand.policy.policy import Policy

COLOURS = {"policy": "one", "hold": "two", "nearest": "three"}
WORDS = {
    "policy": "the policy",
    "hold": "hold the last action",
    "nearest": "nearest moment of the training episodes",
}


def offline_page(
    judgement: Judgement,
    policy: Policy,
    episodes: Episodes,
    shown: Sequence[int],
    *,
    title: str,
    then: str = "",
) -> str:
    """The whole page; `shown` are places of episodes whose trajectories are drawn.

    `then` is the next step, as text.
    """
    return page(
        title,
        f'<p class="lead">{prose(verdict(judgement))}</p>',
        f"<p>{prose(then)}</p>" if then else "",
        f"<p>{escape(summary(judgement))}</p>",
        _ahead(judgement, policy.spec.rate_hz),
        *(_trajectories(policy, episodes, number, judgement.names) for number in shown),
        _dimensions(judgement),
        '<p class="soft">A small error is no success rate. Where there are several ways to act, a '
        "good policy may take another than the one that was demonstrated: the best of several "
        "samples says whether that one was among them. The hold baseline knows what the robot was "
        "told last, even where the policy does not see it.</p>",
    )


def summary(found: Judgement) -> str:
    """What came out, in words."""
    numbers = ", ".join(str(number) for number in found.episodes[:8])
    more = ", …" if len(found.episodes) > 8 else ""
    nearest = "" if found.nearest is None else f", the nearest neighbour's by {found.nearest}"
    return (
        f"On {len(found.episodes)} episodes that were not trained on ({numbers}{more}; "
        f"{found.windows} moments), predicted actions are off by {found.error} in robot units, "
        f"those of holding the last action by {found.hold}{nearest}. The best of "
        f"{found.samples} samples is off by {found.best.mean:.3g}; samples of one moment spread by "
        f"{found.spread:.3g}."
    )


def _ahead(found: Judgement, rate_hz: float) -> str:
    lines = [
        Line(np.arange(len(part)) / rate_hz, part.mean(1), f"{COLOURS[name]} thick-line")
        for name, part in found.parts.items()
    ]
    picture = chart(lines, "error, robot units", x_label="s ahead", from_zero=True)
    return section(
        "How far ahead",
        _legend({WORDS[name]: COLOURS[name] for name in found.parts}),
        f'<div class="narrow">{figure(picture, "Mean absolute error over all dimensions.")}</div>',
    )


def _trajectories(policy: Policy, episodes: Episodes, number: int, names: Sequence[str]) -> str:
    """Every dimension of one episode: what was done, and the chunks predicted on the way."""
    data = HeldOut(policy, episodes.subset([number]))
    rate_hz, execute = policy.spec.rate_hz, policy.spec.chunking.execute
    starts = np.arange(1, len(data.actions), execute)
    chunks = data.predict(starts, 1)[0]
    span = least_span(data.actions)
    charts = [
        chart(_lines(data, starts, chunks, column, rate_hz), name, x_label="s", span=span)
        for column, name in enumerate(names)
    ]
    return section(
        f"Episode {episodes.number(number)}, {len(data.actions) / rate_hz:.1f} s",
        _legend({"demonstrated": "shown", "predicted": "one", WORDS["hold"]: "two"}),
        f'<p class="soft">{scale_words(span)} A chunk is predicted every {execute / rate_hz:.2g} '
        "s, from what was seen then; strong what would be executed, faint the rest.</p>",
        f'<div class="grid">{"".join(f"<div>{one}</div>" for one in charts)}</div>',
    )


def _lines(
    data: HeldOut,
    starts: NDArray[np.int64],
    chunks: NDArray[np.floating],
    column: int,
    rate_hz: float,
) -> list[Line]:
    """One dimension: what was done; at each of `starts` what is predicted, and the last action."""
    done, execute = data.actions[:, column], data.policy.spec.chunking.execute
    lines = [Line(np.arange(len(done)) / rate_hz, done, "shown")]
    inside = data.counts(starts).sum(1)
    for start, chunk, rows in zip(starts, chunks[:, :, column], inside, strict=True):
        seconds = (start + np.arange(rows)) / rate_hz
        first = seconds[:execute]
        lines.append(Line(first, np.full(len(first), done[start - 1]), "two"))
        lines.append(Line(seconds, chunk[: len(seconds)], "one faint"))
        lines.append(Line(first, chunk[: len(first)], "one"))
    return lines


def _dimensions(found: Judgement) -> str:
    rows = [
        [escape(name), *(f"{part[:, i].mean():.4g}" for part in found.parts.values())]
        for i, name in enumerate(found.names)
    ]
    return section(
        "Dimension by dimension",
        table(["", *(WORDS[name] for name in found.parts)], rows),
        '<p class="soft">Mean absolute error over the chunk, in the units of each.</p>',
    )


def _legend(entries: Mapping[str, str]) -> str:
    return (
        '<p class="legend">'
        + "".join(
            f'<span><svg viewBox="0 0 30 10"><path class="{css} thick-line" d="M2,5 H28"/></svg> '
            f"{escape(word)}</span>"
            for word, css in entries.items()
        )
        + "</p>"
    )
