"""Early re-planning: a chunk is abandoned as soon as the world is not where it was expected."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.runtime.controllers.asking import Ahead
from steadyhand.runtime.controllers.asynchronous import ahead
from steadyhand.runtime.controllers.controller import Controller
from steadyhand.runtime.plan import Plan
from steadyhand.runtime.predictor import Observation
from steadyhand.spec import LAST_ACTION, Feature, PolicySpec
from steadyhand.values import named, positive

MOTIONLESS = 1e-9
"""What moves less than this, in the robot's units, does not move."""


@named
class Speculative(Controller):
    """Asks while it acts, as `Asynchronous`, and at once where what is seen is not as expected.

    When a chunk is asked for, each number of `watch` (observations, all but pictures and
    `last_action` unless given) is expected to go on as in the last tick. As soon as one of the
    observations is farther from there than `bound` times the way that it was expected to go, or
    that it has gone, if that is longer, the chunk is abandoned: the next is asked for, and until it
    is there the old one goes on. Watch what moves by itself: chunks that are made anew all the time
    differ more than they react. With `targets`, the observation that actions are targets of, it is
    expected where the robot was told to be instead.
    """

    def __init__(
        self,
        spec: PolicySpec,
        *,
        execute: int | None = None,
        seed: int = 0,
        delay: int | None = None,
        bound: float = 1.0,
        watch: Sequence[str] | None = None,
        targets: str | None = None,
    ) -> None:
        plan, rule = ahead(spec, execute=execute, seed=seed, delay=delay)
        numbers = [f for f in spec.observations if f.kind == "state"]
        # What it is told itself says nothing of the world, and is not among what the robot shows.
        states = {f.name: f for f in numbers if f.key != LAST_ACTION}
        for name in (*(watch or ()), *([] if targets is None else [targets])):
            if name not in states:
                raise ConfigurationError(unknown("observation", name, states))
        if targets is not None and states[targets].shape != spec.action.shape:
            raise ConfigurationError(
                f"Actions of shape {spec.action.shape} are no targets of '{targets}' of shape "
                f"{states[targets].shape}. Name an observation that is where they lead."
            )
        watched = [states[name] for name in (states if watch is None else watch)]
        if not watched:
            raise ConfigurationError(
                "Nothing is expected of pictures and of last_action, and this policy sees nothing "
                "else. Use Asynchronous()."
            )
        surprise = Surprise(rule, watched, positive("bound", bound), targets)
        super().__init__(spec, plan, surprise, waited=rule.waited)


class Surprise:
    """When the world is not as expected, or when it is time anyway."""

    def __init__(
        self, rule: Ahead, watched: Sequence[Feature], bound: float, targets: str | None
    ) -> None:
        self._rule, self._watched, self._bound, self._targets = rule, watched, bound, targets
        self._now: dict[str, NDArray[np.float64]] = {}
        self._begin: dict[str, NDArray[np.float64]] = {}
        """Where each was when the chunk was asked for."""
        self._step: dict[str, NDArray[np.float64]] = {}
        """How far each went in a tick then; where nothing was seen before, in the ticks since."""
        self._ticks = 0
        """So many have passed since."""

    def __call__(self, plan: Plan, observation: Observation) -> int | None:
        before, self._now = self._now, {f.name: _seen(f, observation) for f in self._watched}
        self._ticks += 1
        committed = self._rule(plan, observation)
        if plan.told is None:  # nothing is expected of what is seen before it moves
            self._ticks, self._begin, self._step = 0, self._now, {}
            return committed
        if committed is None and not plan.waiting and self._surprised(plan):
            committed = self._rule.delay
        if committed is not None:
            self._ticks, self._begin = 0, self._now
            self._step = {name: self._now[name] - before[name] for name in before}
        return committed

    def _surprised(self, plan: Plan) -> bool:
        for name, here in self._now.items():
            begin = self._begin[name]
            step = self._step.setdefault(name, (here - begin) / self._ticks)
            expected = begin + self._ticks * step
            told = plan.told_before(plan.age)
            if name == self._targets and told is not None:
                expected = np.asarray(told, np.float64)
            way = max(_length(expected - begin), _length(here - begin), MOTIONLESS)
            if _length(here - expected) > self._bound * way:
                return True
        return False


def _seen(feature: Feature, observation: Observation) -> NDArray[np.float64]:
    values = np.asarray(observation[feature.key], np.float64)
    return values if feature.columns == slice(None) else values[feature.columns]


def _length(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(values).sum()))
