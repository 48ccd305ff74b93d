"""Which moment of a film each step of a robot shows: by the rate, by a clock, or by number.

A film at the rate of the data is read by that. Where the two differ, or the data has a clock that
runs unevenly, the times of all its pictures are looked at; what is read then is said.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

CLOSE = 0.51
"""Periods of a slow film from a step to the nearest picture."""
EVEN = 0.2
"""Periods by which pictures that come evenly may be early or late: one that is missing makes the
others late by a quarter and more."""
Seconds = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Film:
    """What a film says of itself."""

    pictures: int
    """0 where its header does not say."""
    rate_hz: float
    """Pictures a second; 0 where it does not say."""
    shown: Callable[[], Seconds]
    """Reads when each is shown: seconds after the film's beginning, in order."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the data says of the part of a film that belongs to one episode."""

    start: float
    """Seconds after the film's beginning."""
    steps: int
    rate_hz: float
    before: int = 0
    """Rows of the data whose pictures come before in the film."""
    rows: int = 0
    """Rows that have their pictures in the film, of all episodes; 0 where that is not known."""
    clock: Seconds | None = None
    """When each step was, in seconds since the episode began; None where that is not recorded."""

    @property
    def even(self) -> Seconds:
        """When each step is, at the rate alone."""
        return self.start + np.arange(self.steps) / self.rate_hz

    @property
    def half(self) -> float:
        """Seconds of half a step, by which a picture may come early or late."""
        return 0.5 / self.rate_hz * (1 + 1e-9)

    @property
    def uneven(self) -> Seconds | None:
        """When each step is by the clock, where that is not what the rate says to half a step."""
        clock = self.clock
        if clock is None or len(clock) != self.steps:
            return None
        if not np.isfinite(clock).all() or np.any(np.diff(clock) <= 0):
            return None
        clock = clock - clock[0] if clock[0] > 1 else clock
        off = np.abs(clock - np.arange(self.steps) / self.rate_hz)
        return self.start + clock if off.max() > self.half else None


@dataclass(frozen=True, kw_only=True)
class Moments:
    """When each step is shown, (steps,) seconds after the film's beginning."""

    times: Seconds
    within: float
    """Seconds by which the nearest picture may come early or late."""
    remark: tuple[str, str] | None = None
    """Its kind, and in words: the film …; None where it is as the data says."""
    lacking: str | None = None
    """Why there are not pictures for all steps, if so."""
    again: bool = False
    """Whether a new copy of the film might have them."""


def moments(wanted: Wanted, film: Film) -> Moments:
    """Where to look for the pictures of an episode."""
    shown = None
    if not _in_step(wanted, film):  # a header only guesses how long the last picture is shown
        shown = film.shown()
        if not len(shown):
            why = "it has no pictures whose times are known"
            return Moments(times=wanted.even, within=wanted.half, lacking=why, again=True)
        film = replace(film, pictures=len(shown), rate_hz=1 / _mean(shown))
    if shown is not None and not _in_step(wanted, film):
        return _by_pictures(wanted, shown)
    times = wanted.even
    needed = round(wanted.start * wanted.rate_hz) + wanted.steps
    lacking = needed - film.pictures if film.pictures else 0
    last = wanted.before + wanted.steps == wanted.rows  # of the film's episodes
    if lacking <= 0 and last and wanted.rows < film.pictures:
        said = f"has {film.pictures} pictures for {wanted.rows} steps: "
        own = wanted.rows == wanted.steps and not wanted.start
        said += "those after the last are unused" if own else "some of them are unused"
        return Moments(times=times, within=wanted.half, remark=("video-long", said))
    if lacking == 1 and wanted.steps > 1:
        times[-1] = times[-2]
        said = "lacks the last picture: the last step has that before it again"
        return Moments(times=times, within=wanted.half, remark=("video-short", said))
    why = f"it has {film.pictures} frames for {wanted.steps} steps" if lacking > 0 else None
    return Moments(times=times, within=wanted.half, lacking=why, again=True)


def _in_step(wanted: Wanted, film: Film) -> bool:
    """Whether a film keeps up with the rate of the data to a quarter of a step, and clocks do."""
    apart = abs(film.rate_hz / wanted.rate_hz - 1) if film.rate_hz else 0.0
    drift = apart * (wanted.even[-1] + 1 / wanted.rate_hz)
    return drift <= wanted.half / 2 and wanted.uneven is None


def _by_pictures(wanted: Wanted, shown: Seconds) -> Moments:
    """By the times of all pictures, where the rate alone does not say which is meant."""
    clock, rows, count = wanted.uneven, wanted.rows, len(shown)
    rates = f"has {1 / _mean(shown):.4g} pictures a second for {wanted.rate_hz:g} steps"
    numbered = shown[np.minimum(wanted.before + np.arange(wanted.steps), count - 1)]
    by_number = "each step has the picture of its number"
    if count == rows:
        remark = ("video-rate", f"{rates}, but as many pictures as there are steps: {by_number}")
        if clock is not None:
            near = np.abs(numbered - clock).max() <= wanted.half
            what = "shows its pictures at the uneven times of the data's own clock"
            what = what if near else f"{rates}, whose clock runs unevenly, but one picture a step"
            remark = ("video-clock", f"{what}: {by_number}")
        same = np.abs(numbered - wanted.even).max() <= wanted.half
        return Moments(times=numbered, within=wanted.half, remark=None if same else remark)
    if clock is not None and _fits(shown, clock, wanted.half):
        said = "is read by the clock of the data: each step has the picture nearest to its time"
        return Moments(times=clock, within=wanted.half, remark=("video-clock", said))
    if _fits(shown, wanted.even, wanted.half):
        return Moments(times=wanted.even, within=wanted.half)
    period = _mean(shown) if _come_evenly(shown) else 0.0
    held, near = np.minimum(wanted.even, shown[-1]), CLOSE * period
    as_long = abs(count * period - rows / wanted.rate_hz) <= 2 * period
    if period > 1 / wanted.rate_hz and as_long and _fits(shown, held, near):
        said = f"{rates}: each step has the picture nearest to its time, so some have the same"
        return Moments(times=held, within=near, remark=("video-rate", said))
    if period and abs(count - rows) == 1:
        odd = "the last is not used" if count > rows else "the last has that before it"
        said = f"{rates}, and {count} of them for {rows} steps: {by_number}, {odd}"
        return Moments(times=numbered, within=wanted.half, remark=("video-rate", said))
    why = f"it has {count} frames for {rows or wanted.steps} steps, and {rates}"
    return Moments(times=wanted.even, within=wanted.half, lacking=why)


def _fits(shown: Seconds, times: Seconds, within: float) -> bool:
    """Whether a picture is near to each of those times."""
    after = np.minimum(np.searchsorted(shown, times), len(shown) - 1)
    near = np.minimum(np.abs(shown[after] - times), np.abs(shown[np.maximum(after - 1, 0)] - times))
    return bool(near.max() <= within)


def _mean(shown: Seconds) -> float:
    """Seconds from picture to picture."""
    span = float(shown[-1] - shown[0])
    return span / (len(shown) - 1) if span > 0 else np.inf


def _come_evenly(shown: Seconds) -> bool:
    """Whether no picture is missing between others."""
    off = np.abs(shown - shown[0] - _mean(shown) * np.arange(len(shown)))
    return bool(off.max() <= EVEN * _mean(shown))
