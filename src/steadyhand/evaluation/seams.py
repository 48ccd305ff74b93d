"""How far a command would jump where chunks meet, beside its steps inside of them, without a robot.

Along held-out demonstrations chunks are executed as on a robot: so many rows, then the next chunk,
from what was recorded at that step. All moves are shares of the range of the demonstrated actions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions.blending import mixed
from steadyhand.evaluation import metrics
from steadyhand.evaluation.held_out import MOST_WINDOWS, HeldOut, Numbers, Steps
from steadyhand.runtime.controllers.blend import shares

PARTS = ("jump", "step")


@dataclass(frozen=True)
class Seams:
    """Mean moves from tick to tick, over episodes: each is the mean over the dimensions that move.

    None where no chunk follows another, or where chunks have one executed row.
    """

    boundary_jump: metrics.Interval | None
    """From the last row executed of a chunk to the first of the next."""
    step: metrics.Interval | None
    """Between neighbours inside chunks."""
    recorded_step: metrics.Interval
    """From each demonstrated action to the next."""
    execute: int
    """Rows executed of each chunk."""
    blended: float
    """What `ratio` would be of a blend, which fades from each chunk into the next: where chunks
    have rows beyond those executed, to fade out in. nan where unknown."""
    range: Numbers = field(repr=False)
    """Of each dimension of the demonstrated actions, (action_size,)."""

    @property
    def ratio(self) -> float:
        """How many times as far the command moves between chunks as inside; nan where unknown."""
        both = (self.boundary_jump, self.step)
        return _ratio(*(float("nan") if part is None else part.mean for part in both))

    def as_json(self) -> dict[str, Any]:
        """Every figure by name, null where there is none."""
        parts = {"boundary_jump": self.boundary_jump, "step": self.step}
        ratios = {"ratio": self.ratio, "blended_ratio": self.blended}
        return {
            **{name: None if part is None else part.as_json() for name, part in parts.items()},
            "recorded_step": self.recorded_step.as_json(),
            **{name: value if np.isfinite(value) else None for name, value in ratios.items()},
            "execute": self.execute,
        }


@dataclass(frozen=True)
class Executed:
    """What one episode would have been told."""

    commands: Numbers
    """(steps, action_size), in robot units."""
    begins: Steps
    """The steps at which a chunk begins, the first of which is 0."""


def seams(data: HeldOut) -> Seams | None:
    """Of the policy along these episodes; None where no demonstrated action moves."""
    size = np.ptp(data.actions, axis=0)
    moving = size > 0
    if not moving.any() or data.episodes.lengths.max() < 2:
        return None
    found: dict[str, list[float]] = {}
    for place, chunks in predicted(data):
        done = data.actions[data.episodes.starts[place] : data.episodes.ends[place]]
        told = {"": executed(data, place, chunks), "blended ": executed(data, place, chunks, True)}
        moved = {"recorded": _moves(done, size, moving)}
        for way, one in told.items():
            moves = _moves(one.commands, size, moving)
            seam = np.isin(np.arange(1, len(one.commands)), one.begins)
            moved |= {f"{way}jump": moves[seam], f"{way}step": moves[~seam]}
        for name, values in moved.items():
            found.setdefault(name, []).extend([float(values.mean())] if len(values) else [])
    means = {name: metrics.mean(some, share=False) for name, some in found.items() if some}
    blended = (means[f"blended {part}"].mean if part in means else np.nan for part in PARTS)
    return Seams(
        boundary_jump=means.get("jump"),
        step=means.get("step"),
        recorded_step=means["recorded"],
        execute=data.policy.spec.chunking.execute,
        blended=_ratio(*blended),
        range=size,
    )


def predicted(data: HeldOut) -> Iterator[tuple[int, Numbers]]:
    """(place of an episode, the chunks (n, rows from now on, action_size) that follow each other
    in it); evenly spread where there are very many."""
    execute, lengths = data.policy.spec.chunking.execute, data.episodes.lengths
    chunks = -(-lengths // execute)
    most = int(np.clip(len(chunks) * MOST_WINDOWS / chunks.sum(), 1, len(chunks)))
    places = np.unique(np.linspace(0, len(chunks) - 1, most).astype(int))
    starts = [data.episodes.starts[p] + np.arange(0, int(lengths[p]), execute) for p in places]
    together = np.concatenate(starts)
    rows = data.predict(together, 1)[0].astype(np.float64)
    # Two signs of a quaternion are one rotation.
    rows = data.policy.spec.transform.aligned(rows, data.done(together))
    ends = np.cumsum([len(some) for some in starts])[:-1]
    yield from zip(places.tolist(), np.split(rows, ends), strict=True)


def executed(data: HeldOut, place: int, chunks: Numbers, blend: bool = False) -> Executed:
    """What an episode would have been told: so many rows of each chunk, as they are or blended."""
    execute, length = data.policy.spec.chunking.execute, int(data.episodes.lengths[place])
    planned = [chunks[0]]
    for new in chunks[1:]:
        old = planned[-1][execute:]
        both = len(old) if blend else 0
        faded = mixed(data.policy.spec.transform, old[:both], new[:both], shares(both, "linear"))
        planned.append(np.concatenate([faded, new[both:]]))
    commands = np.concatenate([rows[:execute] for rows in planned])[:length]
    return Executed(commands, np.arange(0, length, execute))


def _ratio(jump: float, step: float) -> float:
    return jump / step if step > 0 else float("nan")


def _moves(commands: Numbers, size: Numbers, moving: NDArray[np.bool_]) -> Numbers:
    """How far each step goes, (steps - 1,), by the range of each dimension that moves."""
    return (np.abs(np.diff(commands, axis=0))[:, moving] / size[moving]).mean(1)
