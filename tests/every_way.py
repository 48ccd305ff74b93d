"""Every way to generate an action that the configuration can express, found from its types.

`python tests/every_way.py DENOISER [--all]` does each of that denoiser's: trains ten steps, looks
at the gradients, samples, saves, loads and exports. It runs without shape checks, as exports must.
"""

import dataclasses
import itertools
import json
import sys
import tempfile
import time
import types
import typing
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steadyhand.data import Episodes
from steadyhand.diffusion.sampling import SamplerConfig, SolverName
from steadyhand.errors import ConfigurationError
from steadyhand.export.graph import example_inputs, export_policy
from steadyhand.policy import config as policy_config
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.policy import Policy
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy
from steadyhand.training.trainer import Trainer

SMALL = {"width": 16, "widths": (8, 16), "step_width": 16, "layers": 1, "blocks": 1, "heads": 2}
"""What makes a part small, by the names that parts give their sizes; others are left."""
CALLS = (2, 1)
"""Network calls that are tried, until the process takes one."""


@dataclass(frozen=True)
class Way:
    """One denoiser, process and solver."""

    denoiser: Any
    process: Any
    sampler: SamplerConfig

    @property
    def pairs(self) -> set[tuple[Any, Any]]:
        parts = (type(self.denoiser), self.process, self.sampler.solver)
        return set(itertools.combinations(parts, 2))

    @property
    def name(self) -> str:
        driven = f"{self.sampler.solver} in {self.sampler.steps}"
        return f"{told(self.denoiser)}, {told(self.process)}, {driven}"


def told(part: Any) -> str:
    """A part by its name and by what is not the default of a small one."""
    changed = [
        told(value) if dataclasses.is_dataclass(value) else f"{field.name}={value}"
        for field in dataclasses.fields(part)
        if (value := getattr(part, field.name)) != getattr(small(type(part)), field.name)
    ]
    return f"{type(part).__name__.removesuffix('Config')}({', '.join(changed)})"


def options(name: str) -> tuple[Any, ...]:
    """What a choice may be: the classes of a union, the words of a literal."""
    return typing.get_args(SolverName if name == "SolverName" else getattr(policy_config, name))


def small(kind: type[Any]) -> Any:
    """The default of a part, in small."""
    sizes = {f.name: SMALL[f.name] for f in dataclasses.fields(kind) if f.name in SMALL}
    return kind(**sizes)


def variants(kind: type[Any]) -> Iterator[Any]:
    """The part with every choice that it offers, its defaults first; small in all else."""
    hints, base = typing.get_type_hints(kind), small(kind)
    choices: dict[str, list[Any]] = {}
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if typing.get_origin(hint) is typing.Literal:
            choices[field.name] = list(typing.get_args(hint))
        elif isinstance(hint, types.UnionType) and dataclasses.is_dataclass(
            typing.get_args(hint)[0]
        ):
            choices[field.name] = [v for part in typing.get_args(hint) for v in variants(part)]
        elif hint is bool:
            choices[field.name] = [False, True]
    usual = {name: getattr(base, name) for name in choices}
    for values in sorted(
        itertools.product(*choices.values()),
        key=lambda values: [v != u for v, u in zip(values, usual.values(), strict=True)],
    ):
        try:
            yield replace(base, **dict(zip(choices, values, strict=True)))
        except ConfigurationError:
            continue  # says why, which tests of the part look at


def ways(*, every: bool) -> list[Way]:
    """All that fit together, or so many that every two parts meet, each part at its default."""
    denoisers = [small(kind) for kind in options("DenoiserConfig")]
    processes = [p for kind in options("Method") for p in variants(kind)]
    if every:
        denoisers = [d for kind in options("DenoiserConfig") for d in variants(kind)]
    else:
        processes = [next(variants(kind)) for kind in options("Method")]
    pairs = [
        (p, s) for p in processes for s in map(partial(driving, p), options("SolverName")) if s
    ]
    found: list[Way] = []
    met: set[tuple[Any, Any]] = set()
    for denoiser, (process, sampler) in itertools.product(denoisers, pairs):
        way = Way(denoiser, process, sampler)
        if every or way.pairs - met:
            found.append(way)
            met |= way.pairs
    return found


def driving(process: Any, solver: str) -> SamplerConfig | None:
    """That solver, with the most calls of `CALLS` that the process takes; None where it refuses."""
    for steps in CALLS:
        sampler = SamplerConfig(solver=typing.cast(Any, solver), steps=steps)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sampler.settled(process)
        except ConfigurationError:
            continue
        return sampler
    return None


def demonstrations() -> Episodes:
    """Three short episodes: a state of three numbers, an action of two."""
    random = np.random.default_rng(0)
    state = np.cumsum(random.normal(size=(60, 3)), axis=0).astype(np.float32)
    arrays = {"state": state, "action": state[:, :2] + 1}
    return Episodes(arrays, np.array([20, 40, 60]), rate_hz=10.0)


def configured(way: Way) -> TrainConfig:
    policy = PolicyConfig(denoiser=way.denoiser, process=way.process, sampler=way.sampler)
    return TrainConfig(
        observations=("state",),
        chunking=Chunking(obs_steps=2, horizon=4, execute=2),
        policy=policy,
        steps=10,
        batch_size=16,
        learning_rate=1e-2,
        precision="float32",
        device="cpu",
        validation_share=0,
    )


def go(way: Way, *, export: bool = True) -> None:
    """Train, look at gradients, sample, save, load and export. Raises where anything is wrong."""
    config, episodes = configured(way), demonstrations()
    policy = build_policy(config, episodes)
    trainer = Trainer(policy, episodes, config)
    losses = [float(trainer.step(number)) for number in range(config.steps)]
    assert np.isfinite(losses).all(), losses
    check_gradients(trainer.policy)
    trained = typing.cast(Policy, trainer.average.module).eval()
    inputs = example_inputs(trained, 3)
    with torch.no_grad():
        sampled = trained(*inputs)
        assert sampled.shape == (3, *trained.spec.chunk_shape)
        assert bool(torch.isfinite(sampled).all())
        with tempfile.TemporaryDirectory() as folder:
            save_policy(Path(folder) / "p", trained)
            loaded = load_policy(Path(folder) / "p")
        assert loaded.config == config.policy.settled()
        assert torch.equal(loaded(*inputs), sampled)
        if not export:
            return
        exported = export_policy(loaded).module()(*inputs)
    assert float((exported - sampled).abs().max()) <= 1e-5 * float(sampled.abs().max())


def check_gradients(policy: Policy) -> None:
    """Every parameter has one, unless it sees nothing but an action of zeros, and says so."""
    idle = {
        name
        for name, parameter in policy.named_parameters()
        if parameter.grad is None or not bool(parameter.grad.abs().max() > 0)
    }
    if not idle:
        return
    # What behaviour cloning shows to the network as an action is zeros. With any other action,
    # those parameters must have a gradient.
    denoiser: Any = policy.sampler.denoiser
    policy.zero_grad()
    generator = torch.Generator().manual_seed(0)
    tokens, features = condition_shape(policy)
    shape = (8, *policy.spec.chunk_shape)
    x, t = torch.randn(shape, generator=generator), torch.rand(8, generator=generator) * 100
    out = denoiser(x, t, torch.randn(8, tokens, features, generator=generator))
    (out * torch.randn(out.shape, generator=generator)).sum().backward()
    names = {f"sampler.denoiser.{name}": p for name, p in denoiser.named_parameters()}
    for name in idle:
        assert name in names, f"{name} has no gradient"
        grad = names[name].grad
        assert grad is not None, f"{name} has no gradient"
        assert bool(grad.abs().max() > 0), f"{name} has no gradient"
    assert len(idle) <= 2, f"too many without a gradient: {idle}"


def condition_shape(policy: Policy) -> tuple[int, int]:
    encoder: Any = policy.encoder
    asks = getattr(policy.config.process, "asks", None) if policy.config else None
    return encoder.condition_shape if asks is None else asks(1, encoder.condition_shape)[1]


def main(denoiser: str, *, every: bool) -> None:
    """One line of JSON for each way of that denoiser: its name, and what went wrong or null."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    met: set[tuple[Any, Any]] = set()
    for way in ways(every=every):
        # A solver is a few numbers in a graph: with one network it is exported for each process.
        new = {(way.denoiser, way.process), (way.process, way.sampler.solver)} - met
        met |= new
        if type(way.denoiser).__name__ != denoiser:
            continue
        begun = time.perf_counter()
        try:
            go(way, export=bool(new))
            wrong = None
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - begun
        line = json.dumps({"way": way.name, "wrong": wrong, "seconds": seconds})
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], every="--all" in sys.argv)
