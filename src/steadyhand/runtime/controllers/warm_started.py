"""Warm starts: each chunk is sampled from the rest of the last one, noised, not from pure noise."""

from steadyhand.runtime.continuation import WarmStart
from steadyhand.runtime.controllers.asynchronous import ahead
from steadyhand.runtime.controllers.controller import Controller
from steadyhand.spec import PolicySpec
from steadyhand.values import named


@named
class WarmStarted(Controller):
    """Asks while it acts, as `Asynchronous`, for chunks that begin from the rest of the last.

    `level` is the share of the steps that is left out: the larger, the faster an answer and the
    more of the old plan stays.
    """

    def __init__(
        self,
        spec: PolicySpec,
        *,
        execute: int | None = None,
        seed: int = 0,
        delay: int | None = None,
        level: float = 0.5,
    ) -> None:
        plan, rule = ahead(spec, execute=execute, seed=seed, delay=delay)
        how = WarmStart(level=level)
        super().__init__(spec, plan, rule, continuation=how, waited=rule.waited)
