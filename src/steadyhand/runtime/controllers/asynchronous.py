"""Asynchronous control: ask early, go on with the old chunk meanwhile, then switch."""

from steadyhand.runtime.controllers.asking import Ahead
from steadyhand.runtime.controllers.controller import Controller
from steadyhand.runtime.plan import Join, Plan, switch
from steadyhand.spec import PolicySpec
from steadyhand.values import named


def ahead(
    spec: PolicySpec,
    *,
    execute: int | None,
    seed: int,
    delay: int | None,
    join: Join = switch,
    most: int | None = None,
) -> tuple[Plan, Ahead]:
    """The plan and the rule of every controller that asks while it acts."""
    plan = Plan(spec, execute=execute, seed=seed, join=join, overrun=True, most=most)
    chunking = plan.chunking
    return plan, Ahead(chunking, delay, chunking.max_execute if most is None else most)


@named
class Asynchronous(Controller):
    """Executes `execute` actions of each chunk and never stands still for the next.

    `delay` is how many ticks before a chunk is to take over it is asked for; None counts what the
    last answers took. Those actions are committed. An answer that comes later still begins at the
    row that is due then, and so long the old chunk goes on, as far as it has rows.

    Raises `ConfigurationError` where a chunk has fewer rows than are waited for and executed.
    """

    def __init__(
        self,
        spec: PolicySpec,
        *,
        execute: int | None = None,
        seed: int = 0,
        delay: int | None = None,
    ) -> None:
        plan, rule = ahead(spec, execute=execute, seed=seed, delay=delay)
        super().__init__(spec, plan, rule, waited=rule.waited)
