"""A policy that goes on from the last chunk: the same parts, and another way to sample."""

from steadyhand.diffusion import guidance
from steadyhand.diffusion.guidance import Continuing
from steadyhand.errors import ConfigurationError
from steadyhand.policy.policy import Policy
from steadyhand.runtime.continuation import Continuation, Guided, Inpainted, Prefixed


def continuing(policy: Policy, how: Continuation) -> Policy:
    """`policy`, sharing all its parts, that continues what it is given as `previous`.

    Raises `ConfigurationError` where its method, or the form of its actions, cannot be continued.
    """
    spec = policy.spec
    if spec.chunking.past_rows and any(part.form == "delta" for part in spec.transform.parts):
        raise ConfigurationError(
            f"The chunks of this policy begin {spec.chunking.past_rows} rows before now, and its "
            "actions are what changes from row to row: what is left of the last chunk does not "
            "say what those rows were. Train with past_rows 0 to continue chunks."
        )
    return Policy(
        spec, policy.encoder, _sampler(policy, how), policy.normaliser, config=policy.config
    ).eval()


def _sampler(policy: Policy, how: Continuation) -> Continuing:
    sampler = policy.sampler
    if isinstance(how, Guided):
        return guidance.Guided(sampler, how.beta)
    if isinstance(how, Inpainted):
        return guidance.Inpainted(sampler)
    if isinstance(how, Prefixed):
        return guidance.Prefixed(sampler)
    return guidance.WarmStart(sampler, how.level)
