"""Where chunks meet, as words and as a picture: how far the command would jump there."""

import numpy as np
from markupsafe import Markup

from steadyhand.evaluation.held_out import HeldOut
from steadyhand.evaluation.seams import Executed, Seams
from steadyhand.reports.charts import LEAST, Line, chart

TWITCHES = 2.0
"""From so many times its steps inside of chunks on a jump is advised against."""
HELPS = 0.7
"""A blend is advised where it leaves no more than this share of the ratio."""
DRAWN, CHUNKS = 4, 8
"""Dimensions that are drawn, and chunks of each."""


def seams_told(found: Seams | None) -> str:
    """How far the command jumps where chunks meet, and what helps where it is far; or nothing."""
    if found is None or found.boundary_jump is None:
        return ""
    jump, recorded = found.boundary_jump.mean, found.recorded_step.mean
    shown = f"demonstrations move {_percent(recorded)} a step"
    if found.step is None:
        return (
            "Executed one row at a time along the same episodes, its command moves "
            f"{_percent(jump)} of the range of the actions a step; {shown}."
        )
    ratio = found.ratio
    times = f", {ratio:.2g} times as far as inside of chunks" if np.isfinite(ratio) else ""
    said = (
        f"Executed {found.execute} rows at a time along the same episodes, its command jumps "
        f"{_percent(jump)} of the range of the actions where one chunk ends and the next begins"
        f"{times} ({_percent(found.step.mean)}; {shown})."
    )
    return f"{said} An arm twitches there{_advice(found)}" if ratio >= TWITCHES else said


def _advice(found: Seams) -> str:
    """What makes the jumps smaller, as far as these chunks tell."""
    if found.blended <= HELPS * found.ratio:
        return (
            "; run with --controller blend, which fades from each chunk into the next, it would "
            f"be {found.blended:.2g} times."
        )
    return (
        ". A chunk has too few rows beyond those executed to fade out in: train with a longer "
        "--chunking.horizon, and run with --controller blend."
    )


def seam_charts(data: HeldOut, one: Executed, found: Seams) -> list[tuple[str, Markup]]:
    """(name, chart) of the dimensions that jump most, around the widest jump of one episode.

    What was demonstrated, what would be executed, and each jump between chunks.
    """
    size, names = found.range, data.episodes.called(data.policy.spec.action.key)
    names = names[data.policy.spec.action.columns]
    jumps = np.abs(one.commands[one.begins[1:]] - one.commands[one.begins[1:] - 1])
    shares = np.divide(jumps, size, out=np.zeros_like(jumps), where=size > 0)
    if not len(shares):
        return []
    centre = int(shares.mean(1).argmax()) + 1
    first = max(0, min(centre - CHUNKS // 2, len(one.begins) - CHUNKS))
    low = int(one.begins[first])
    high = min(low + CHUNKS * found.execute, len(one.commands))
    noise = size < LEAST * size.max()  # where all else has such a range, it looks like none
    order = np.lexsort((-shares.mean(0), noise))[:DRAWN]
    return [(names[i], _chart(data, one, int(i), low, high, names[i])) for i in order]


def _chart(data: HeldOut, one: Executed, column: int, low: int, high: int, name: str) -> Markup:
    rate, told = data.policy.spec.rate_hz, one.commands[:, column]
    seconds = np.arange(low, high) / rate
    lines = [Line(x=seconds, y=data.actions[low:high, column], colour="ink")]
    begins = one.begins[(one.begins >= low) & (one.begins < high)].tolist()
    for begin, end in zip(begins, [*begins[1:], high], strict=True):
        steps = np.arange(begin, end)
        lines.append(Line(x=steps / rate, y=told[steps], colour="left", width=2.2))
    for begin in begins[1:]:
        pair = np.array([begin - 1, begin])
        lines.append(Line(x=pair / rate, y=told[pair], colour="bad", width=2.2))
    return chart(lines, f"{name}, where chunks meet", x_label="s")


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
