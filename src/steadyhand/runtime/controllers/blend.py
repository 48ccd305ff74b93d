"""Blended chunks: where the old and the new one overlap, one fades into the other."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from steadyhand.actions.blending import mixed
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.runtime.controllers.asynchronous import ahead
from steadyhand.runtime.controllers.controller import Controller
from steadyhand.runtime.plan import Actions
from steadyhand.spec import PolicySpec
from steadyhand.values import named, whole

Fading = Literal["linear", "exponential"]
STEEPNESS = 3.0
"""How fast the exponential fades: after a third of the overlap 1/e of the old chunk is left."""


@named
class Blend(Controller):
    """Asks while it acts, as `Asynchronous`, and fades from each chunk into the next.

    Over `over` rows, or as many as both chunks have. Rotations turn from the one to the other, a
    gripper changes halfway, where `spec.action_parts` says that there are any.
    """

    def __init__(
        self,
        spec: PolicySpec,
        *,
        execute: int | None = None,
        seed: int = 0,
        delay: int | None = None,
        fading: Fading = "linear",
        over: int | None = None,
    ) -> None:
        if fading not in get_args(Fading):
            raise ConfigurationError(unknown("fading", fading, get_args(Fading)))
        most = None if over is None else whole("over", over)

        def join(old: Actions, new: Actions) -> Actions:
            both = min(len(old), len(new), *([] if most is None else [most]))
            faded = mixed(spec.transform, old[:both], new[:both], shares(both, fading))
            return np.concatenate([faded.astype(np.result_type(old, new)), new[both:]])

        plan, rule = ahead(spec, execute=execute, seed=seed, delay=delay, join=join)
        super().__init__(spec, plan, rule, waited=rule.waited)


def shares(rows: int, fading: Fading) -> NDArray[np.float64]:
    """How much of the new chunk each of so many rows has, rising between 0 and 1, (rows,)."""
    passed = np.arange(1, rows + 1) / (rows + 1)
    if fading == "linear":
        return passed
    return np.expm1(-STEEPNESS * passed) / np.expm1(-STEEPNESS)
