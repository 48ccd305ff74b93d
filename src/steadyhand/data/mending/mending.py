"""All that is to be mended in a set, as one value, and in which order it is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from steadyhand.data.episodes import Episodes
from steadyhand.data.mending.names import dropped, renamed
from steadyhand.data.mending.rate import Actions, resampled
from steadyhand.data.mending.trim import trimmed
from steadyhand.data.stages import Tell, untold
from steadyhand.errors import UsageError
from steadyhand.values import POSITIVE, taken


@dataclass(frozen=True, kw_only=True)
class Mending:
    """What is done to a set before it is written. Nothing, unless said."""

    rename: Mapping[str, str] = field(default_factory=dict)
    """Old to new names of features."""
    drop: tuple[str, ...] = ()
    """Features that are left out, by their new names; `camera.*` is all that begin so."""
    recorded_rate: float | None = None
    """Steps a second at which it was recorded, where it does not say so or is wrong."""
    trim_idle: bool = False
    """Whether the time at the ends of episodes in which nothing moves is cut off."""
    rate: float | None = None
    """Steps a second that it is to have."""
    actions: Actions = "hold"
    """What becomes of actions at another rate."""

    def __post_init__(self) -> None:
        for name in ("recorded_rate", "rate"):
            if (value := getattr(self, name)) is not None:
                taken(f"--{name.replace('_', '-')}", value, float, POSITIVE)

    def of(self, episodes: Episodes, tell: Tell = untold) -> Episodes:
        """The episodes, mended. Raises `UsageError` where a rate is a guess, and all that any part
        of it does."""
        if self.rename:
            episodes = renamed(episodes, self.rename)
        if self.drop:
            episodes = dropped(episodes, self.drop)
        if self.recorded_rate is not None:
            rate = float(self.recorded_rate)
            others = tuple(remark for remark in episodes.remarks if remark.kind != "rate")
            episodes = replace(episodes, rate_hz=rate, rate_assumed=False, remarks=others)
        if self.trim_idle:
            episodes = _told(trimmed(episodes), tell)
        if self.rate is not None:
            if episodes.rate_assumed:
                raise UsageError(
                    f"{episodes.path or 'The data'} does not say at which rate it was recorded, so "
                    "it cannot be brought to another. Say it: --recorded-rate 30."
                )
            episodes = _told(resampled(episodes, self.rate, self.actions), tell)
        return episodes


def _told(mended: tuple[Episodes, list[str]], tell: Tell) -> Episodes:
    for line in mended[1]:
        tell(line)
    return mended[0]
