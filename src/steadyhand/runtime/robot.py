"""What moves: a robot or a simulator, and what wrappers around it have changed or refused.

A wrapper around a robot is a robot: it passes on what is not its own, and nests. It keeps what it
wraps as `robot`, and `counts`, by name.
"""

from typing import Any, Protocol, cast

from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.predictor import Observation, require

SAME_RATE = 0.01
"""Rates that differ by no more than this share are one."""


class Robot(Protocol):
    """What the loop needs of a robot or a simulator.

    One may have more: `stop()`, and `hold(last)`, the action for a tick in which nothing is
    planned.
    """

    def observe(self) -> Observation: ...
    def act(self, action: NDArray[Any]) -> None: ...


def require_robot(robot: object) -> None:
    """Raise `ConfigurationError` for what cannot be wrapped as a robot."""
    require({"robot": (robot, Robot)}, "A robot is an object that observes and acts.")


def counted(robot: object) -> dict[str, int]:
    """What the wrappers around a robot (or a predictor) have counted, summed by name."""
    total: dict[str, int] = {}
    inner, seen = robot, set[int]()
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        own: dict[str, Any] = getattr(inner, "__dict__", {})
        counts = own.get("counts")
        if isinstance(counts, dict):
            for name, count in cast(dict[str, int], counts).items():
                total[name] = total.get(name, 0) + count
        inner = own.get("robot", own.get("predictor"))
    return total


def require_rate(robot: object, told_hz: float) -> None:
    """Raise `ConfigurationError` where a wrapper counts its limits at another rate than it is told.

    At a faster one, an arm would go as much faster than its limits.
    """
    inner, seen = robot, set[int]()
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        own: dict[str, Any] = getattr(inner, "__dict__", {})
        limits_hz = own.get("limits_hz")
        if isinstance(limits_hz, float) and abs(told_hz / limits_hz - 1) > SAME_RATE:
            raise ConfigurationError(
                f"{type(inner).__name__} counts its limits at {limits_hz:g} Hz, and is told "
                f"something {told_hz:g} times a second: make it with rate_hz={told_hz:g}."
            )
        inner = own.get("robot")


def stopped(robot: object) -> None:
    """Have a robot stop, where it says how."""
    stop = getattr(robot, "stop", None)
    if callable(stop):
        stop()
