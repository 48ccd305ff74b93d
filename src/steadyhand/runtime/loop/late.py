"""What the robot is told in a tick: what is planned, or, where a chunk is late, what was declared.

Nothing here waits or sends. Ticks in which no planned action is given are counted.
"""

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions import ActionPart
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.runtime.loop.interpolation import between
from steadyhand.runtime.loop.report import Tally
from steadyhand.runtime.predictor import ChunkController

Late = Literal["hold", "slow", "stop"]
"""Where a chunk is late: hold the last action; go along the rest of the plan ever more slowly, then
hold; or end, and bring the robot to rest."""
Action = NDArray[np.floating]
RAMP = 4.0
"""So many actions before the end of a plan it begins to slow down."""
STILL = 0.02
"""Of full speed: what is slower stands still."""


class LateError(Exception):
    """A chunk was late, and the loop is to end then."""


class Step(NamedTuple):
    """What is told in one tick."""

    action: Action
    planned: bool
    """Whether it is of the plan; otherwise it is the one before, to hold where the robot is."""
    then: Action | None = None
    """What is planned for the tick after, where that is known."""


class Steps:
    """The action of each tick. `parts` say how to go from one to the next at less than full speed.

    Raises `ConfigurationError` for another `late`, and for slowing down with a controller that does
    not say what is coming.
    """

    def __init__(
        self, controller: ChunkController, parts: tuple[ActionPart, ...], late: Late, tally: Tally
    ) -> None:
        self._controller, self._parts, self._late, self._tally = controller, parts, late, tally
        self.given = 0
        """Planned actions so far."""
        self._last: Action | None = None
        """The one that was given last."""
        self._next: Action | None = None
        """The one that it is on the way to, where it goes slowly."""
        self._share = 0.0
        """How far on the way."""
        if late not in get_args(Late):
            raise ConfigurationError(unknown("answer to a late chunk", str(late), get_args(Late)))
        if late == "slow" and self._coming is None:
            raise ConfigurationError(
                f"{type(controller).__name__} does not say what is planned: give it a `coming`, "
                "(ticks, numbers in an action), or choose late='hold'."
            )

    def step(self, *, overdue: bool) -> Step | None:
        """What is told in this tick, None before the first action.

        `overdue` says that an answer should have come by now. Raises `LateError`.
        """
        if self._late == "slow" and self._last is not None and (overdue or self._next is not None):
            slowed = self._slowly(overdue)
            if slowed is not None:
                return slowed
        if self._controller.ready:
            self._last = self._given()
            coming = self._coming
            return Step(self._last, True, coming[0] if coming is not None and len(coming) else None)
        if self._controller.hold() is None or self._last is None:
            self._tally.waited += 1
            return None
        if self._late == "stop":
            raise LateError
        self._tally.repeat()
        return Step(self._here(), False)

    @property
    def _coming(self) -> NDArray[np.floating] | None:
        return getattr(self._controller, "coming", None)

    def _given(self) -> Action:
        self.given += 1
        return self._controller.action()

    def _slowly(self, overdue: bool) -> Step | None:
        """On along the plan; None where that is at full speed, or at its end."""
        coming, before = self._coming, self._here()
        to_go = 0 if coming is None else len(coming)
        ahead = to_go + (0.0 if self._next is None else 1 - self._share)
        speed = min(1.0, ahead / RAMP) if overdue else 1.0
        if speed < STILL or (speed >= 1 and self._next is None):
            return None
        self._tally.slowed += 1
        self._share += speed
        if self._next is None:
            self._next = self._given()
        elif self._share >= 1 and speed < 1 and to_go:
            self._last, self._next, self._share = self._next, self._given(), self._share - 1
        else:
            self._controller.hold()
            if self._share >= 1:  # at full speed again: there, and on with the plan from there
                self._last, self._next, self._share = self._next, None, 0.0
        here = self._here()
        return Step(here, True, here + (here - before))

    def _here(self) -> Action:
        """Where it is on the way."""
        assert self._last is not None, "something was given"
        if self._next is None:
            return self._last
        return between(self._parts, self._last, self._next, self._share)
