"""Going on from the last chunk: is a way that was begun kept, and what does it cost?

    python benchmarks/continuing.py ways
    python benchmarks/continuing.py fork --plain RUN --prefix RUN
    python benchmarks/continuing.py speed

`ways` learns a process of two ways, `fork` asks trained policies; milliseconds are the processor's.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import steadyhand as sh
from steadyhand.data import Episodes
from steadyhand.diffusion import guidance
from steadyhand.diffusion.prefix import Prefix
from steadyhand.diffusion.sampler import Sampler
from steadyhand.diffusion.shapes import Overlap
from steadyhand.diffusion.solvers import euler
from steadyhand.nets.mlp import ResidualMLP
from steadyhand.recipes.methods import METHODS, NETWORKS
from steadyhand.runtime import ChunkRequest
from steadyhand.runtime.continuation import (
    Continuation,
    Guided,
    Inpainted,
    Prefixed,
    WarmStart,
    soft_weights,
)
from steadyhand.spec import Chunking

ROWS, MOST = 16, 6
HOWS: dict[str, Continuation | None] = {
    "as if nothing had been": None,
    "inpainted": Inpainted(),
    "guided": Guided(),
    "warm start": WarmStart(),
    "prefixed": Prefixed(),
}
COMMITTED = [(2, 8), (4, 8), (4, 12), (6, 12)]
"""Rows that are committed, and rows that are left, these among them."""


def two_ways(count: int, generator: torch.Generator) -> torch.Tensor:
    """Chunks (count, 16, 2) to the left or the right of something; the second row says which."""
    way = torch.where(torch.rand(count, 1, generator=generator) < 0.5, -0.8, 0.8)
    share = torch.linspace(0, 1, ROWS)
    start = 0.05 * torch.randn(count, 1, generator=generator)
    side = way * torch.sin(torch.pi * share) + start * (1 - share)
    noise = 0.02 * torch.randn(count, ROWS, 2, generator=generator)
    return torch.stack([side, (2 * share - 1).expand(count, -1)], -1) + noise


def learned(prefix: int, steps: int = 1000) -> Sampler:
    """A small flow network that knows them."""
    torch.manual_seed(0)
    generator, random = torch.Generator().manual_seed(0), np.random.default_rng(0)
    given = Prefix(most=prefix, action_size=2, features=16) if prefix else None
    shape = (1 + (given.tokens if given else 0), 16)
    sizes = {"horizon": ROWS, "condition_shape": shape, "width": 128, "blocks": 2}
    network = ResidualMLP(action_size=2 + (prefix > 0), out_features=2, **sizes)
    sampler = Sampler(network, METHODS["flow"], euler, 10, clip=3.0, prefix=given)
    optimiser = torch.optim.Adam(sampler.parameters(), lr=2e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    condition = torch.zeros(128, 1, 16)
    for _ in range(steps):
        uniform = (random.permutation(128) + random.random(128)) / 128
        noise = torch.randn(128, ROWS, 2, generator=generator)
        loss = sampler.loss(two_ways(128, generator), noise, uniform, condition)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    return sampler.eval()


def ways(count: int = 2000) -> None:
    plain, given = learned(0), learned(MOST)
    samplers = {
        "as if nothing had been": plain,
        "inpainted": guidance.Inpainted(plain),
        "guided": guidance.Guided(plain),
        "warm start": guidance.WarmStart(plain),
        "prefixed": guidance.Prefixed(given),
    }
    for committed, left in COMMITTED:
        generator = torch.Generator().manual_seed(1)
        rows = two_ways(count, generator)
        noise = torch.randn(count, ROWS, 2, generator=generator)
        weights = torch.from_numpy(soft_weights(ROWS, 0, committed, left)).expand(count, -1)
        overlap = Overlap(rows[:, torch.arange(ROWS).clamp(max=left - 1)], weights)
        for name, sampler in samplers.items():
            rest = None if sampler is plain else overlap
            with torch.no_grad():
                chunk = sampler(noise, torch.zeros(count, 1, 16), None, rest)
            other = (chunk[:, 8, 0].sign() != rows[:, 8, 0].sign()).float().mean()
            print(f"{committed} of {left} committed, {name}: other way {other:.3f}", flush=True)


def fork(plain: Path, prefix: Path, episodes: int = 400) -> None:
    """Of demonstrations the moments at which the way is begun in what is committed, no earlier."""
    shown = sh.record_episodes("fork", episodes, first_seed=7000)
    state, action = shown.arrays["state"], shown.arrays["action"]
    predictors = {p: sh.TorchPredictor(sh.load_policy(p), batch=64) for p in (plain, prefix)}
    for committed, left in COMMITTED[1:]:
        chosen: list[int] = []
        for start, end in zip(shown.starts, shown.ends, strict=True):
            times = range(start + 1, end - ROWS)
            undecided = [t for t in times if abs(state[t, 0]) < 0.03]
            chosen += [t for t in undecided if abs(action[t + committed - 1, 0]) > 0.06][:1]
        moves = [action[t + committed] - action[t + committed - 1] for t in chosen]
        shown_mm = 1e3 * np.linalg.norm(moves, axis=-1).mean()
        for name, how in HOWS.items():
            requests = [
                ChunkRequest(
                    observation={"state": state[t - 1 : t + 1]},
                    seed=t,
                    previous=action[t : t + left],
                    committed=committed,
                    continuation=how,
                )
                for t in chosen
            ]
            chunks = predictors[prefix if name == "prefixed" else plain].predict(requests)
            sides = [
                action[t + ROWS - 4, 0] * c[ROWS - 4, 0]
                for t, c in zip(chosen, chunks, strict=True)
            ]
            steps = [
                c[committed] - action[t + committed - 1]
                for t, c in zip(chosen, chunks, strict=True)
            ]
            print(
                f"{committed} of {left} committed, {len(chosen)} moments, {name}: other way "
                f"{np.mean(np.array(sides) < 0):.3f}, first step of its own "
                f"{1e3 * np.linalg.norm(steps, axis=-1).mean():.0f} mm (shown: {shown_mm:.0f})",
                flush=True,
            )


def speed(repeat: int = 40) -> None:
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=(120, n)).astype(np.float32) for name, n in SIZES.items()}
    episodes = Episodes(arrays, np.array([60, 120]))
    request = ChunkRequest(
        observation={"state": arrays["state"][:2]}, previous=arrays["action"][:12], committed=4
    )
    for name in ("mlp", "unet", "transformer", "dit"):
        for label, how in HOWS.items():
            prefix = MOST if label == "prefixed" else 0
            config = sh.recipe("fork", method="flow", network=name)
            config = replace(
                config,
                task=None,
                chunking=Chunking(obs_steps=2, horizon=ROWS, execute=8, prefix=prefix),
                policy=replace(config.policy, denoiser=NETWORKS[name]),
            )
            predictor = sh.TorchPredictor(sh.build_policy(config, episodes))
            asked, taken = [replace(request, continuation=how)], list[float]()
            for _ in range(repeat):
                begun = time.process_time()
                predictor.predict(asked)
                taken.append(time.process_time() - begun)
            print(f"{name}, {label}: {1e3 * np.median(taken):.1f} ms", flush=True)


SIZES = {"state": 20, "action": 7}

if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["ways", "fork", "speed"])
    parser.add_argument("--plain", type=Path)
    parser.add_argument("--prefix", type=Path)
    given = parser.parse_args()
    if given.what == "fork":
        fork(given.plain, given.prefix)
    else:
        {"ways": ways, "speed": speed}[given.what]()
