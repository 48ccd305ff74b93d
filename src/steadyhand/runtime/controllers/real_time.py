"""Real-time chunking (Black et al. 2025): each chunk is sampled to go on from the last."""

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.continuation import Continuation, Guided, Inpainted, Prefixed
from steadyhand.runtime.controllers.asynchronous import ahead
from steadyhand.runtime.controllers.controller import Controller
from steadyhand.spec import PolicySpec
from steadyhand.values import named, shown


@named
class RealTime(Controller):
    """Asks while it acts, as `Asynchronous`, for chunks that go on from what is being executed.

    `by` says how: `Prefixed()` where the policy was trained for it (`Chunking.prefix`), or else
    `Guided()`, unless given. Committed are as many rows as an answer takes ticks; a policy that was
    trained to be given so many is given no more.

    Raises `ConfigurationError` for `Prefixed()` where the policy was not trained for it or for a
    longer `delay` than it was trained for.
    """

    def __init__(
        self,
        spec: PolicySpec,
        *,
        execute: int | None = None,
        seed: int = 0,
        delay: int | None = None,
        by: Guided | Inpainted | Prefixed | None = None,
    ) -> None:
        trained = spec.chunking.prefix
        how: Continuation = by or (Prefixed() if trained else Guided())
        if not isinstance(how, Guided | Inpainted | Prefixed):  # pyright: ignore
            raise ConfigurationError(
                f"by is {shown(how)}; it must be Guided(), Inpainted() or Prefixed()."
            )
        most = None
        if isinstance(how, Prefixed):
            most = trained
            if not trained or (delay or 0) > trained:
                given = f"at most {trained} rows" if trained else "no rows"
                raise ConfigurationError(
                    f"This policy was trained to be given {given} of the last chunk, not "
                    f"{delay or 'any'}. Guide it (by=Guided(), --continuation guided), or train "
                    f"it for more: --chunking.prefix {delay or 4}."
                )
        plan, rule = ahead(spec, execute=execute, seed=seed, delay=delay, most=most)
        super().__init__(spec, plan, rule, continuation=how, waited=rule.waited)
