"""Judging without a simulator: predicted chunks against what was demonstrated, in robot units.

On episodes that were not trained on, beside two baselines that need no learning: hold the last
action, and do what was done in the nearest moment of the training episodes. A small error is no
success rate: where there are several ways to act, a good policy may take another than the one that
was demonstrated; the best of several samples says whether that one was among them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.errors import DataError
from steadyhand.evaluation import metrics
from steadyhand.evaluation.held_out import HeldOut, Numbers, Steps, batches
from steadyhand.evaluation.seams import Seams, seams
from steadyhand.policy.policy import Policy


@dataclass(frozen=True)
class Judgement:
    """Mean absolute errors of chunks, in robot units, over the held-out episodes.

    Per row of a chunk and dimension of the action they are arrays (horizon, action_size).
    """

    episodes: tuple[int, ...]
    """The numbers of the episodes in their data set."""
    windows: int
    samples: int
    names: tuple[str, ...]
    """What the dimensions of the action are called."""
    error: metrics.Interval
    """Of one sample; its interval is over episodes."""
    best: metrics.Interval
    """Of the best sample of each window."""
    spread: float
    """Standard deviation of the samples of a window, mean over all."""
    hold: metrics.Interval
    nearest: metrics.Interval | None
    """None where the episodes it was trained on are not at hand."""
    differences: dict[str, metrics.Difference]
    """ "hold" and "nearest" → the policy's error less theirs, paired over episodes."""
    parts: dict[str, Numbers] = field(repr=False)
    """ "policy", "hold" and "nearest" → errors (horizon, action_size)."""
    seams: Seams | None = None
    """How smoothly its chunks follow each other; None where no demonstrated action moves."""

    def as_json(self) -> dict[str, Any]:
        """What `steadyhand evaluate --offline --json` prints, less the path of the chart."""
        nearest = None if self.nearest is None else self.nearest.as_json()
        return {
            "episodes": len(self.episodes),
            "held_out": list(self.episodes),
            "windows": self.windows,
            "error": self.error.as_json(),
            "best_of": {"samples": self.samples, **self.best.as_json()},
            "spread": self.spread,
            "baselines": {"hold": self.hold.as_json(), "nearest": nearest},
            "differences": {name: found.as_json() for name, found in self.differences.items()},
            "per_dimension": [
                {"name": name, **{part: float(v[:, i].mean()) for part, v in self.parts.items()}}
                for i, name in enumerate(self.names)
            ],
            "per_step": {part: v.mean(1).tolist() for part, v in self.parts.items()},
            "smoothness": None if self.seams is None else self.seams.as_json(),
        }


def judge(
    policy: Policy,
    held_out: Episodes,
    *,
    numbers: Sequence[int],
    training: Episodes | None = None,
    samples: int = 8,
    watch: Callable[[int], object] = lambda windows: None,
) -> Judgement:
    """Compare what `policy` predicts for each step of the held-out episodes with what was done.

    `numbers` are theirs in their data set; `training` are episodes it was trained on, for the
    nearest-neighbour baseline. Raises `DataError` where all episodes are of one step.
    """
    data = HeldOut(policy.eval(), held_out)
    steps = data.usable()
    if not len(steps):
        raise DataError("The held-out episodes have one step each; there is nothing to predict.")
    truth, counts = data.done(steps), data.counts(steps)
    predicted = data.predict(steps, samples, watch)

    def missed(chunks: NDArray[np.floating]) -> Numbers:
        """Two signs of a quaternion are one rotation."""
        return np.abs(policy.spec.transform.aligned(chunks, truth) - truth)

    errors = missed(predicted)
    owners = np.searchsorted(held_out.ends, steps, side="right")
    held = missed(np.broadcast_to(data.actions[steps - 1][:, None], truth.shape))
    parts = {"policy": errors.mean(0), "hold": held}
    if training is not None:
        parts["nearest"] = missed(_nearest(data, steps, HeldOut(policy, training)))
    chosen = _of_windows(errors, counts).argmin(0)
    best = errors[chosen, np.arange(len(steps))]

    def by_episode(part: NDArray[Any]) -> list[float]:
        windows = _of_windows(part, counts)
        return [float(windows[owners == i].mean()) for i in np.unique(owners)]

    scores = {name: by_episode(part) for name, part in parts.items()}
    overall = {name: _error(values) for name, values in scores.items()}
    action = policy.spec.action
    return Judgement(
        episodes=tuple(int(number) for number in numbers),
        windows=len(steps),
        samples=samples,
        names=held_out.called(action.key)[action.columns],
        error=overall["policy"],
        best=_error(by_episode(best)),
        spread=float(predicted.std(0)[counts].mean()) if samples > 1 else 0.0,
        hold=overall["hold"],
        nearest=overall.get("nearest"),
        differences={
            name: metrics.paired_difference(scores["policy"], values, share=False)
            for name, values in scores.items()
            if name != "policy"
        },
        parts={name: _by_row(part, counts) for name, part in parts.items()},
        seams=seams(data),
    )


def _nearest(data: HeldOut, steps: Steps, library: HeldOut) -> Numbers:
    """The chunks done at the nearest moments, moved along where they refer to what was seen."""
    known = library.usable()
    there = np.concatenate([library.features(part) for part in batches(known)])
    places = []
    for part in batches(steps):
        here = data.features(part)
        distance = (there**2).sum(1) - 2 * here @ there.T
        places.append(known[distance.argmin(1)])
    found = np.concatenate(places)
    transform = data.policy.spec.transform
    moved = transform.to_network(library.done(found), library.reference(found))
    return transform.to_robot(moved, data.reference(steps))


def _error(episodes: Sequence[float]) -> metrics.Interval:
    """The mean over episodes of an error, which is never below 0."""
    found = metrics.mean(episodes, share=False)
    return replace(found, low=max(found.low, 0.0)) if found.known else found


def _of_windows(part: NDArray[Any], counts: NDArray[np.bool_]) -> Numbers:
    """Errors (…, windows, rows, size) to those of whole windows, (…, windows)."""
    return (part.mean(-1) * counts).sum(-1) / counts.sum(-1)


def _by_row(part: NDArray[Any], counts: NDArray[np.bool_]) -> Numbers:
    weight = counts[..., None].astype(np.float64)
    return (part * weight).sum(0) / np.maximum(weight.sum(0), 1)
