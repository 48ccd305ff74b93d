"""The options that say what acts on chunks and how late they are, shared by the verbs that try."""

from dataclasses import replace
from typing import Self

from steadyhand.cli.options import flags
from steadyhand.evaluation.acting import WAITS_FOR_NOTHING, Acting, ContinuationName, seconds_of
from steadyhand.evaluation.latency import Latency
from steadyhand.runtime.controllers import ControllerName


@flags
class Acted:
    controller: ControllerName = "receding"
    """What acts on the chunks: who waits for the next one, or goes on meanwhile, and how."""
    delay: int | None = None
    """Ticks that the controller expects an answer to take; what the last ones took by default."""
    continuation: ContinuationName | None = None
    """How real_time has chunks go on from the last: as the policy was trained by default."""
    latency: str = "0ms"
    """How long a chunk takes, in the task's time, as 200ms; the world goes on meanwhile."""
    latency_jitter: str = "0ms"
    """It takes up to so much less or more each time."""
    drop: float = 0.0
    """Share of the chunks that never come."""

    def under(self, controller: ControllerName) -> Self:
        """The same under another controller; what that one has no use for is left out."""
        delay = None if controller in WAITS_FOR_NOTHING else self.delay
        way = self.continuation if controller == "real_time" else None
        return replace(self, controller=controller, delay=delay, continuation=way)

    @property
    def acting(self) -> Acting:
        """What acts on the chunks. Raises `ConfigurationError` for what cannot be."""
        latency = Latency(
            seconds=seconds_of(self.latency, "--latency"),
            jitter=seconds_of(self.latency_jitter, "--latency-jitter"),
            drop=self.drop,
        )
        return Acting(
            controller=self.controller, delay=self.delay, by=self.continuation, latency=latency
        )
