"""Receding-horizon control: execute a part of each chunk, then ask for the next and wait."""

from steadyhand.runtime.controllers.asking import when_over
from steadyhand.runtime.controllers.controller import Controller
from steadyhand.runtime.plan import Plan
from steadyhand.spec import PolicySpec
from steadyhand.values import named


@named
class RecedingHorizon(Controller):
    """Executes `execute` actions of each chunk, then predicts again from the latest observations.

    `execute` is the policy's own unless given. While an answer is on its way the robot stands
    still, and goes on with its first row.
    """

    def __init__(self, spec: PolicySpec, *, execute: int | None = None, seed: int = 0) -> None:
        super().__init__(spec, Plan(spec, execute=execute, seed=seed), when_over)
