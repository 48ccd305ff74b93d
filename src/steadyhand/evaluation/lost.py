"""Episodes that were lost with their world: which, why, and when that is everybody's mistake."""

from dataclasses import dataclass, field
from typing import Any

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.episode import Play, WorldFailed

ALIKE = 3
"""So many worlds that fail alike before any went on are a mistake in the task."""


@dataclass(frozen=True)
class Lost:
    """An episode without an outcome: its world raised, died or gave no answer."""

    seed: int
    why: str
    repeat: int = 0

    def as_json(self) -> dict[str, Any]:
        """{"seed", "why"}, and which repeat where it is not the first."""
        return {
            "seed": self.seed,
            "why": self.why,
            **({"repeat": self.repeat} if self.repeat else {}),
        }


@dataclass
class Losses:
    """The lost episodes of a rollout in the task of that name."""

    task: str
    lost: list[Lost] = field(default_factory=list[Lost])
    went_on: bool = False
    """Whether any world has ever answered a whole chunk."""
    _alike: dict[str, int] = field(default_factory=dict[str, int])
    _first: WorldFailed | None = None

    def add(self, play: Play, failure: WorldFailed) -> Lost:
        """Note it. Raises `ConfigurationError` where all worlds fail in the same way as they
        begin."""
        self._first = self._first or failure
        self.lost.append(Lost(play.seed, failure.said, play.repeat))
        many = self._alike[failure.kind] = self._alike.get(failure.kind, 0) + 1
        if many == ALIKE and not self.went_on:
            raise ConfigurationError(
                f"The first {ALIKE} worlds of {self.task} failed alike, and none went on: "
                f"{failure.said}. Mend the task; try one of its worlds by hand with make(), "
                "reset(seed) and step(action)."
            ) from (failure.__cause__ or failure)
        return self.lost[-1]

    def check(self, ended: int) -> None:
        """Raise `ConfigurationError` where no episode ended well."""
        if ended or self._first is None:
            return
        raise ConfigurationError(
            f"No episode in {self.task} came to an end, so there is nothing to judge: "
            f"{len(self.lost)} of {len(self.lost)} were lost with their worlds, the first since "
            f"{self._first.said}."
        ) from (self._first.__cause__ or self._first)
