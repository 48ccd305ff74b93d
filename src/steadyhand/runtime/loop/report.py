"""How a loop went: what was late, repeated or refused, and how long everything took.

Of constant size however long it goes on. `Tally` is counted up by the loop; `LoopReport` is what it
was at one moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from steadyhand.runtime.loop.histogram import Histogram
from steadyhand.runtime.robot import counted

MOST_TICKS = 100
"""Of repeated ticks that are told one by one."""
MOST_LATE = 200
"""Ticks of latency that are told apart; what is above counts as so many."""


COUNTED = {
    "limited": ("action", "limited"),
    "turned": ("turn", "limited"),
    "outside": ("action", "led out of the workspace"),
    "refused": ("action", "refused"),
    "answers": ("answer", "refused"),
    "not recorded": ("step", "not recorded"),
}
"""What wrappers count, in words."""
HAPPENED = {
    "missed": ("tick", "passed without an action"),
    "slowed": ("tick", "slowed down, since a chunk was late"),
    "waited": ("tick", "passed before the first chunk"),
    "stale": ("observation", "too old"),
    "refused": ("observation", "not finite"),
    "failed": ("prediction", "failed"),
    "lost": ("prediction", "given up or passed over"),
}
"""What the loop counts, in words."""
CLIPPED = ("limited", "turned", "outside", "refused")
"""Of these, what the robot was not told as it was planned."""


@dataclass(kw_only=True)
class LoopReport:
    """How well the rate was kept, and everything that was not as planned."""

    ticks: int = 0
    """Ticks from the first action on, missed ones included: over the rate, the seconds it took."""
    late: int = 0
    """Ticks whose action left after the next one was due, or not at all."""
    missed: int = 0
    """Of these, ticks that passed without an action, since an earlier one took so long."""
    repeated: int = 0
    """Ticks for which nothing was planned: the robot was told to hold where it was."""
    slowed: int = 0
    """Ticks in which it went along the plan at less than full speed."""
    waited: int = 0
    """Ticks before the first chunk, in which the robot was told nothing."""
    stale: int = 0
    """Ticks whose observation was too old to be used."""
    refused: int = 0
    """Ticks whose observation was not finite."""
    asked: int = 0
    """Chunks that were asked for."""
    failed: int = 0
    """Predictions that raised, or whose answer was not finite."""
    lost: int = 0
    """Predictions that were given up, or passed over for a newer one."""
    stopped_by: str = ""
    """What ended it: ticks, stop, late, interrupted, or 'error: …'. Empty while it runs."""
    repeated_at: tuple[int, ...] = ()
    """Which ticks were repeated, from 0 at the first action; the first of them, where many were."""
    counts: dict[str, int] = field(default_factory=dict[str, int])
    """What wrappers around the robot and the predictor counted, by name."""
    late_by: dict[int, int] = field(default_factory=dict[int, int])
    """Ticks from a question to its answer's use, and how often."""
    work_ms: Histogram = field(default_factory=Histogram)
    """Milliseconds from the start of a tick to its action."""
    latency_ms: Histogram = field(default_factory=Histogram)
    """From a question to its answer."""
    jitter_ms: Histogram = field(default_factory=Histogram)
    """How much longer or shorter than the period the time between two actions was."""
    interval_ms: Histogram = field(default_factory=Histogram)
    """Between two actions, as they were sent; with a faster low-level rate, these."""

    @property
    def clipped(self) -> int:
        """How often a wrapper did not let an action through as it was."""
        return sum(self.counts.get(name, 0) for name in CLIPPED)

    def as_json(self) -> dict[str, Any]:
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        told = {k: v.as_json() if isinstance(v, Histogram) else v for k, v in found.items()}
        told["late_by"] = {str(ticks): n for ticks, n in sorted(self.late_by.items())}
        return {**told, "repeated_at": list(self.repeated_at), "clipped": self.clipped}

    def in_words(self) -> str:
        """A few lines, without what did not happen."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        share = 100 * self.late / max(1, self.ticks)
        yield f"{self.ticks} ticks, {self.late} late ({share:.3g} %), {self.repeated} repeated."
        if self.repeated:
            shown = ", ".join(map(str, self.repeated_at[:10]))
            more = " …" if self.repeated > 10 else ""
            yield f"Repeated, since no chunk had come: ticks {shown}{more}."
        found = [(getattr(self, name), *words) for name, words in HAPPENED.items()]
        found += [(n, *COUNTED.get(name, ("time", name))) for name, n in self.counts.items()]
        said = [f"{n} {noun}{'s'[: n != 1]} {rest}" for n, noun, rest in found if n]
        if said:
            yield "; ".join(said) + "."
        if self.latency_ms.n and self.work_ms.n:
            yield f"A chunk took {_range(self.latency_ms)}, a tick's work {_range(self.work_ms)}."
        if self.jitter_ms.n:
            yield f"Actions left with a jitter of {_range(self.jitter_ms)}."
        if self.stopped_by:
            yield f"Ended by: {self.stopped_by.rstrip('.')}."


@dataclass(kw_only=True)
class Tally(LoopReport):
    """What a loop counts. Only the control thread changes it."""

    def repeat(self) -> None:
        if self.repeated < MOST_TICKS:
            self.repeated_at = (*self.repeated_at, self.ticks)
        self.repeated += 1

    def came_late_by(self, ticks: int) -> None:
        place = min(ticks, MOST_LATE)
        self.late_by[place] = self.late_by.get(place, 0) + 1

    def report(self, *parts: object) -> LoopReport:
        """As it stands, with what wrappers among the parts have counted."""
        found = {each.name: getattr(self, each.name) for each in fields(LoopReport)}
        for name, value in found.items():
            if isinstance(value, Histogram | dict):
                found[name] = value.copy()
        for part in parts:
            for name, count in counted(part).items():
                found["counts"][name] = found["counts"].get(name, 0) + count
        return LoopReport(**found)


def _range(found: Histogram) -> str:
    usual, rare = found.percentile(50), found.percentile(99)
    return f"{usual:.3g} ms (99 % under {rare:.3g}, most {found.max():.3g})"
