"""What acts on a policy's chunks, and how late they are: the values that a command line names.

Numpy only, as `episode.py`.
"""

import re
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.lanes import MakeController
from steadyhand.evaluation.latency import NONE, Latency
from steadyhand.runtime.continuation import Guided, Inpainted, Prefixed
from steadyhand.runtime.controllers import CONTROLLERS, ControllerName
from steadyhand.sizes import Natural
from steadyhand.values import checked

ContinuationName = Literal["guided", "inpainted", "prefixed"]
CONTINUATIONS = {"guided": Guided, "inpainted": Inpainted, "prefixed": Prefixed}
"""By the name that the command line has for them."""
WAITS_FOR_NOTHING = ("receding", "ensemble")
"""Controllers that ask when they need a chunk, or in every tick: they expect no delay."""
SECONDS = re.compile(r"(?P<number>[0-9]*\.?[0-9]+)\s*(?P<unit>ms|s|)")


@checked
@dataclass(frozen=True, kw_only=True)
class Acting:
    """A controller by its name, its settings, and the latency of what it is given."""

    controller: ControllerName = "receding"
    """What acts on the chunks."""
    delay: Natural | None = None
    """Ticks that an answer is expected to take; what the last ones took unless given."""
    by: ContinuationName | None = None
    """How `real_time` has chunks go on; as the policy was trained unless given."""
    latency: Latency = field(default_factory=Latency)

    def __post_init__(self) -> None:
        if self.delay is not None and self.controller in WAITS_FOR_NOTHING:
            raise ConfigurationError(
                f"The controller {self.controller} expects no delay: it asks when it needs a "
                "chunk, or in every tick. Leave --delay out, or use asynchronous or real_time."
            )
        if self.by is not None and self.controller != "real_time":
            raise ConfigurationError(
                f"How chunks go on ({self.by}) is said of the controller real_time, not of "
                f"{self.controller}."
            )

    @property
    def make(self) -> MakeController:
        """What makes the controller of an episode."""
        own: dict[str, Any] = {} if self.delay is None else {"delay": self.delay}
        if self.by is not None:
            own["by"] = CONTINUATIONS[self.by]()
        kind = CONTROLLERS[self.controller]
        return partial(kind, **own) if own else kind

    @property
    def said(self) -> str:
        """In a file's name; nothing where it is as usual."""
        words = [] if self.controller == "receding" else [self.controller]
        words += [] if self.delay is None else [f"delay{self.delay}"]
        words += [] if self.by is None else [self.by]
        if self.latency != NONE:
            late = self.latency
            words.append(f"{1000 * late.seconds:g}ms")
            words += [f"jitter{1000 * late.jitter:g}ms"] if late.jitter else []
            words += [f"drop{late.drop:g}"] if late.drop else []
        return "".join(f"-{word}" for word in words)


def seconds_of(text: str, flag: str) -> float:
    """200ms or 0.2s as seconds, 0 without a unit. Raises `ConfigurationError` for what is no time.

    A number alone would be taken for milliseconds by one and for seconds by another.
    """
    found = SECONDS.fullmatch(text.strip())
    if found is None or (not found["unit"] and float(found["number"])):
        raise ConfigurationError(f"{flag} takes a time, as 200ms or 0.2s, not '{text}'.")
    return float(found["number"]) / (1000 if found["unit"] == "ms" else 1)
