"""The page of an offline judgement: errors beside the baselines, and trajectories to look at."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.evaluation.held_out import HeldOut
from steadyhand.evaluation.offline import Judgement
from steadyhand.evaluation.seams import executed, predicted
from steadyhand.policy.policy import Policy
from steadyhand.reports.charts import Line, chart, least_span, scale_words
from steadyhand.reports.page import page
from steadyhand.reports.seams import seam_charts, seams_told
from steadyhand.reports.verdict import summary, verdict

COLOURS = {"policy": "left", "hold": "right", "nearest": "third"}
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
    parts, rate_hz = judgement.parts, policy.spec.rate_hz
    ahead = [
        Line(x=np.arange(len(part)) / rate_hz, y=part.mean(1), colour=COLOURS[name], width=2.5)
        for name, part in parts.items()
    ]
    return page(
        "judgement",
        title=title,
        verdict=verdict(judgement),
        then=then,
        summary=summary(judgement),
        baselines={WORDS[name]: COLOURS[name] for name in parts},
        ahead=chart(ahead, "error, robot units", x_label="s ahead", from_zero=True),
        trajectories={"demonstrated": "ink", "predicted": "left", WORDS["hold"]: "right"},
        meeting=_meeting(judgement, policy, episodes, shown),
        every=f"{policy.spec.chunking.execute / rate_hz:.2g}",
        episodes=[_episode(policy, episodes, number, judgement.names) for number in shown],
        header=["", *(WORDS[name] for name in parts)],
        rows=[
            [name, *(f"{part[:, i].mean():.4g}" for part in parts.values())]
            for i, name in enumerate(judgement.names)
        ],
    )


def _meeting(
    judgement: Judgement, policy: Policy, episodes: Episodes, shown: Sequence[int]
) -> dict[str, Any] | None:
    """How chunks meet in the first episode that is shown; None where they do not."""
    if judgement.seams is None or judgement.seams.boundary_jump is None or not len(shown):
        return None
    data = HeldOut(policy, episodes.subset([shown[0]]))
    [(place, chunks)] = predicted(data)
    return {
        "said": seams_told(judgement.seams),
        "number": episodes.number(shown[0]),
        "legend": {"demonstrated": "ink", "executed": "left", "from chunk to chunk": "bad"},
        "charts": seam_charts(data, executed(data, place, chunks), judgement.seams),
    }


def _episode(
    policy: Policy, episodes: Episodes, number: int, names: Sequence[str]
) -> dict[str, Any]:
    """Every dimension of one episode: what was done, and the chunks predicted on the way."""
    data = HeldOut(policy, episodes.subset([number]))
    starts = np.arange(1, len(data.actions), policy.spec.chunking.execute)
    chunks = data.predict(starts, 1)[0]
    span = least_span(data.actions)
    return {
        "number": episodes.number(number),
        "seconds": len(data.actions) / policy.spec.rate_hz,
        "scale": scale_words(span),
        "charts": [
            (name, chart(_lines(data, starts, chunks, column), name, x_label="s", span=span))
            for column, name in enumerate(names)
        ],
    }


def _lines(
    data: HeldOut, starts: NDArray[np.int64], chunks: NDArray[np.floating], column: int
) -> list[Line]:
    """One dimension: what was done; at each of `starts` what is predicted, and the last action."""
    spec, done = data.policy.spec, data.actions[:, column]
    rate_hz, execute = spec.rate_hz, spec.chunking.execute
    lines = [Line(x=np.arange(len(done)) / rate_hz, y=done, colour="ink")]
    inside = data.counts(starts).sum(1)
    for start, chunk, rows in zip(starts, chunks[:, :, column], inside, strict=True):
        seconds = (start + np.arange(rows)) / rate_hz
        first = seconds[:execute]
        lines.append(Line(x=first, y=np.full(len(first), done[start - 1]), colour="right"))
        lines.append(Line(x=seconds, y=chunk[: len(seconds)], colour="left", opacity=0.35))
        lines.append(Line(x=first, y=chunk[: len(first)], colour="left"))
    return lines
