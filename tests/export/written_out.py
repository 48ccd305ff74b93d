"""Policies that go on from a chunk, beside their graphs: `python written_out.py NAME…`.

In a process of its own, without shape checks at run time; prints what differs, as JSON.
"""

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from steadyhand.data import statistics_of
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.guidance import Guided as Guiding
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.export.continuing import continuing_graph
from steadyhand.export.graph import Flat
from steadyhand.nets.choices import DiTConfig, MLPConfig, TransformerConfig, UNetConfig
from steadyhand.nets.encoder_choices import ImageEncoderConfig, PointNetConfig, ResNetConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.continuing import continuing
from steadyhand.policy.policy import Policy
from steadyhand.runtime.continuation import Continuation, Guided, Inpainted, Prefixed, WarmStart
from steadyhand.spec import Chunking, PolicySpec

ONE = SamplerConfig(steps=1)
MLP = MLPConfig(width=16, blocks=1)
PICTURES = ImageEncoderConfig(
    network=ResNetConfig(width=8, blocks=(1,)), cloud=PointNetConfig(points=8, widths=(8,))
)
NETWORKS: dict[str, dict[str, Any]] = {
    "perceptron": {
        "denoiser": MLP,
        "encoder": PICTURES,
        "process": DDPM(),
        "sampler": SamplerConfig(solver="ddpm", steps=2),
    },
    "unet": {"denoiser": UNetConfig(widths=(8, 16), step_width=16), "sampler": ONE},
    "transformer": {"denoiser": TransformerConfig(width=16, layers=1, heads=2), "sampler": ONE},
    "dit": {
        "denoiser": DiTConfig(width=16, layers=1, heads=2),
        "process": DDPM(prediction="v"),
        "sampler": ONE,
    },
}


def policy(prefix: int = 0, horizon: int = 4, **parts: Any) -> Policy:
    """A small policy with weights that are not those of the beginning."""
    pictures = "encoder" in parts
    recorded = {"state": (2,), "action": (2,)}
    seen = {"front": (24, 24, 3), "depth": (24, 24, 1), "cloud": (12, 3)} if pictures else {}
    spec = PolicySpec.select(
        recorded | seen,
        observations=["state", *seen],
        chunking=Chunking(obs_steps=2, horizon=horizon, execute=2, prefix=prefix),
        action_relative_to="state",
        image_size=(16, 16) if pictures else (),
        kinds={"depth": "depth", "cloud": "points"},
    )
    ranged = (replace(f, range=(0.2, 1.5)) if f.kind == "depth" else f for f in spec.observations)
    spec = replace(spec, observations=tuple(ranged))
    random = np.random.default_rng(0)
    one = {
        f.name: statistics_of(random.normal(2, 3, (50, *f.figures_shape)))
        for f in (*spec.observations, spec.network_action)
        if f.kind in ("state", "points")
    }
    made = (
        PolicyConfig(**{"process": Flow(), "sampler": SamplerConfig(steps=2), **parts})
        .build(spec, one)
        .eval()
    )
    torch.manual_seed(0)
    for parameter in made.sampler.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made


def given(flat: Flat, batch: int) -> tuple[Tensor, ...]:
    """Inputs, of which rows that matter are to be followed more or less."""
    *seen, rows, weights = flat.example(batch)
    torch.manual_seed(batch)
    weights = torch.tensor([1.0, 0.6, 0.2, 0.0]).expand(weights.shape)
    return (*seen, 3 * torch.randn_like(rows), weights.contiguous())


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / one.abs().max())


def compared(made: Policy, how: Continuation) -> dict[str, Any]:
    """How far a graph is from the policy, for two sizes of a batch, and both from what they are
    not: a chunk that begins anew, one that is pulled by the error itself."""
    program, batch = continuing_graph(made, how)
    flat = Flat(continuing(made, how), continues=True)
    found: dict[str, Any] = {"batch": batch, "apart": []}
    held: list[Any] = [*program.state_dict.values(), *program.constants.values()]
    found["weights"] = sum(tensor.numel() for tensor in held)
    found["parameters"] = sum(t.numel() for t in made.state_dict().values())
    for many in (batch,) if batch else (1, 3):
        inputs = given(flat, many)
        with torch.no_grad():
            wanted = flat(*inputs)
            found["apart"].append(apart(wanted, program.module()(*inputs)))
            found["anew"] = apart(wanted, Flat(made)(*inputs[:-2]))
            if isinstance(how, Guided):
                found["identity"] = apart(wanted, _identity(flat)(*inputs))
    return found


def _identity(flat: Flat) -> Flat:
    """The same policy, pulled by the error itself instead of along its gradient."""
    guiding: Guiding = flat.policy.sampler
    pulled = guiding.pulled

    def plain(step: int, x: Tensor, context: Any, previous: Any) -> Any:
        x0, eps, _ = pulled(step, x, context, previous)
        error = previous.rows - guiding.sampler.bounded(x0)
        return x0, eps, previous.weights[:, :, None] * error

    other = Guiding(guiding.sampler)
    other.pulled = plain  # type: ignore[method-assign]
    made = Flat(flat.policy, continues=True)
    made.policy.sampler = other
    return made


class Own(nn.Module):
    """Somebody's own network, which does with the size of a batch what it likes."""

    def __init__(self, size: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.within, self.size = nn.Linear(2, 2), size

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        return torch.sin(self.within(x)) * self.size(x)


def own(size: Callable[[Tensor], Any]) -> Policy:
    made = policy(denoiser=MLP)
    made.sampler.denoiser, made.sampler._in_parts = Own(size), False
    return made


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    **{name: lambda p=parts: compared(policy(**p), Guided()) for name, parts in NETWORKS.items()},
    "own": lambda: compared(own(lambda x: 1.0 if x.shape[0] < 3 else 2.0), Guided()),
    "refused": lambda: compared(own(lambda x: 1.0 if float(x.sum()) > 0 else 2.0), Guided()),
    "prefixed": lambda: compared(policy(prefix=2, denoiser=MLP), Prefixed()),
    "inpainted": lambda: compared(policy(denoiser=MLP), Inpainted()),
    "warm start": lambda: compared(policy(denoiser=MLP), WarmStart()),
}


def outcome(name: str) -> dict[str, Any]:
    """What a case finds, or what it raises."""
    try:
        return CASES[name]()
    except Exception as error:
        return {"raised": str(error)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    sys.stdout.write(json.dumps({name: outcome(name) for name in sys.argv[1:]}))
