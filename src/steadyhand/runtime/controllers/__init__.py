"""When to ask for a chunk and how it joins the last: one file a controller, all of the same parts.

`Controller` is a history, a plan and a rule when to ask; the files beside it name combinations.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from steadyhand.runtime.controllers.asynchronous import Asynchronous
from steadyhand.runtime.controllers.blend import Blend
from steadyhand.runtime.controllers.controller import Controller
from steadyhand.runtime.controllers.ensemble import Ensemble
from steadyhand.runtime.controllers.real_time import RealTime
from steadyhand.runtime.controllers.receding import RecedingHorizon
from steadyhand.runtime.controllers.speculative import Speculative
from steadyhand.runtime.controllers.warm_started import WarmStarted

ControllerName = Literal[
    "receding", "asynchronous", "blend", "ensemble", "real_time", "warm_start", "speculative"
]
CONTROLLERS: Mapping[str, type[Controller]] = dict(
    zip(
        get_args(ControllerName),
        (RecedingHorizon, Asynchronous, Blend, Ensemble, RealTime, WarmStarted, Speculative),
        strict=True,
    )
)
"""By the name that the command line has for them."""

__all__ = [
    "CONTROLLERS",
    "Asynchronous",
    "Blend",
    "Controller",
    "ControllerName",
    "Ensemble",
    "RealTime",
    "RecedingHorizon",
    "Speculative",
    "WarmStarted",
]
