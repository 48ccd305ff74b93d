"""How smooth executed actions are: their jerk, the seams between chunks, the arc of their spectrum.

Of one episode (`motion`), or of many (`smoothness`). Numpy only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Actions = NDArray[np.floating]
Held = NDArray[np.bool_]
PADDING = 4
"""A spectrum is that of 2**PADDING times as many ticks: zeros follow, so that its arc is fine."""
FAINT = 0.05
"""The arc ends where nothing beyond is larger, as a share of the spectrum's peak."""
CUTOFF_HZ = 10.0
"""The arc goes no further: people who reach do not."""
SEAMS = (
    "Jump at seams: how far the command moves where one chunk ends and the next begins, over how "
    "far it moves from tick to tick inside chunks. At ×1 nobody sees where a chunk ends; at ×3 the "
    "arm twitches there."
)
"""What `Smoothness.shortly` says, for whoever owns the robot."""
NO_FARTHER = 1.05
"""A seam below is none to the eye."""


@dataclass(frozen=True)
class Smoothness:
    """How smooth executed actions are, over episodes."""

    jerk: float
    """Mean squared third derivative of the actions, (robot units / s³)²."""
    boundary_jump: float
    """Mean distance between the last action of a chunk and the first of the next, robot units."""
    inner_step: float
    """The same between neighbours inside chunks: what a boundary without a jump would show."""
    arc_length: float = math.nan
    """Spectral arc length of the speed of the actions: below 0, the nearer to 0 the smoother."""

    @property
    def seam(self) -> float:
        """How many times as far as inside chunks the action moves between them; nan without."""
        both = self.boundary_jump > 0 and self.inner_step > 0
        return self.boundary_jump / self.inner_step if both else math.nan

    def in_words(self) -> str:
        """One phrase for whoever owns the robot."""
        if self.seam > NO_FARTHER:
            return (
                f"where one chunk ends the command jumps {self.seam:.2g} times as far as it moves "
                "inside chunks"
            )
        if not math.isnan(self.seam):
            return "where one chunk ends the command moves no farther than inside chunks"
        if self.boundary_jump > 0:
            return "there are no seams: of every chunk one action is executed"
        if self.inner_step > 0:
            return "there are no seams: one chunk is the whole episode"
        return "the command does not move"

    def shortly(self) -> str:
        """The seam as it stands in a table beside a score: ×1.4."""
        return "none" if math.isnan(self.seam) else f"×{self.seam:.2g}"

    def as_json(self) -> dict[str, float | None]:
        """Every figure by name, null where there is none."""
        figures = {**vars(self), "seam": self.seam}
        return {name: None if math.isnan(value) else value for name, value in figures.items()}


def smoothness(
    actions: Sequence[Actions],
    boundaries: Sequence[Sequence[int]],
    rate_hz: float,
    held: Sequence[Held] | None = None,
) -> Smoothness:
    """Over episodes: `actions` are (T, A) each, `boundaries` the ticks at which a chunk began, and
    `held` (T,) those in which there was none.

    Steps are averaged over all episodes together, what an episode has one of over episodes; 0 where
    there are none, the arc length nan.
    """
    every = list(zip(actions, boundaries, held or [None] * len(actions), strict=True))
    alone = [motion(told, began, rate_hz, none) for told, began, none in every]
    steps = [_steps(*episode) for episode in every]
    jumps, inner = (np.concatenate(some) for some in zip(*steps, strict=True))
    jerk, *both = (_mean(some, 0.0) for some in ([one["jerk"] for one in alone], jumps, inner))
    return Smoothness(jerk, *both, arc_length=_mean([one["arc_length"] for one in alone]))


def summed_up(motions: Sequence[Mapping[str, Sequence[float]]]) -> Smoothness:
    """Of what `motion` found, by name with an entry an episode, of several policies on the same
    episodes: the mean of each figure over the episodes that have it; 0 where none has, the arc
    length nan."""
    names = ("jerk", "boundary_jump", "inner_step")
    every = {name: np.concatenate([one[name] for one in motions]) for name in motions[0]}
    jerk, jump, inner = (_mean(every[name].astype(np.float64), 0.0) for name in names)
    arc = _mean(every["arc_length"].astype(np.float64))
    return Smoothness(jerk, jump, inner, arc_length=arc)


def motion(
    actions: Actions, boundaries: Sequence[int], rate_hz: float, held: Held | None = None
) -> dict[str, float]:
    """Of one episode: `jerk`, `boundary_jump`, `inner_step` and `arc_length`, as `Smoothness` has
    them; nan where there is none."""
    jumps, inner = _steps(actions, boundaries, held)
    third = np.diff(actions.astype(np.float64), n=3, axis=0) * rate_hz**3
    speed = _speed(actions)
    return {
        "jerk": _mean(np.square(third).sum(-1)),
        "boundary_jump": _mean(jumps),
        "inner_step": _mean(inner),
        "arc_length": spectral_arc_length(speed, rate_hz) if speed.any() else math.nan,
    }


def spectral_arc_length(speed: NDArray[np.float64], rate_hz: float) -> float:
    """Minus the arc length of the speed's amplitude spectrum, its frequencies and its peak scaled
    to 1: how many movements there are in a movement, whatever its size and duration. A reach in
    one go has about -1.4.

    SPARC of Balasubramanian, Melendez-Calderon, Roby-Brami and Burdet (2015).
    """
    padded = 2 ** (math.ceil(math.log2(len(speed))) + PADDING)
    spectrum = np.abs(np.fft.rfft(speed, padded))
    frequency = np.fft.rfftfreq(padded, 1 / rate_hz)
    height = spectrum[frequency <= CUTOFF_HZ] / spectrum.max()
    height = height[: np.flatnonzero(height >= FAINT)[-1] + 1]
    along = 1 / max(len(height) - 1, 1)
    return -float(np.hypot(along, np.diff(height)).sum())


def _speed(actions: Actions) -> NDArray[np.float64]:
    """How far the action moves from each tick to the next, (T - 1,)."""
    return np.linalg.norm(np.diff(actions.astype(np.float64), axis=0), axis=-1)


def _steps(
    actions: Actions, boundaries: Sequence[int], held: Held | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The moves where a new chunk began, and those inside of chunks: where the robot waits for the
    next one, it stands still between them."""
    speed = _speed(actions)
    at_boundary = np.isin(np.arange(1, len(actions)), boundaries)
    inside = ~at_boundary if held is None or not len(held) else ~at_boundary & ~held[1:]
    return speed[at_boundary], speed[inside]


def _mean(values: Sequence[float] | NDArray[np.float64], otherwise: float = math.nan) -> float:
    known = np.asarray(values)[~np.isnan(values)]
    return float(known.mean()) if len(known) else otherwise
