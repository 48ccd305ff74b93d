"""Is a method right where the answer is known? Two distributions, and the distance to them.

No robot: chunks are drawn from the distribution itself, and the condition says nothing.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from steadyhand.data import statistics_of
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.spec import Chunking, PolicySpec

Chunks = NDArray[np.float32]
"""(n, horizon, action_size)."""
Distribution = Callable[[int, np.random.Generator], Chunks]


def mixture(count: int, random: np.random.Generator) -> Chunks:
    """Chunks of one action of two numbers: three spots, of shares 0.5, 0.3 and 0.2."""
    centres = np.array([[-0.7, -0.5], [0.7, -0.5], [0.0, 0.7]])
    spot = random.choice(3, count, p=[0.5, 0.3, 0.2])
    return (centres[spot] + random.normal(0, 0.08, (count, 2)))[:, None].astype(np.float32)


def curve(count: int, random: np.random.Generator) -> Chunks:
    """Chunks of four actions of seven numbers, all on one curved line through 28 dimensions."""
    fixed = np.random.default_rng(7)
    waves, phases = fixed.normal(size=(28, 3)), fixed.uniform(0, 2 * np.pi, (28, 3))
    place = random.uniform(0, 1, (count, 1, 1))
    points = (0.35 * waves * np.sin(np.pi * np.arange(1, 4) * place + phases)).sum(-1)
    return points.reshape(count, 4, 7).astype(np.float32)


def sliced_wasserstein(a: Chunks, b: Chunks, directions: int = 200) -> float:
    """The sliced 2-Wasserstein distance of as many samples each (Bonneel et al. 2015)."""
    flat = [samples.reshape(len(samples), -1).astype(np.float64) for samples in (a, b)]
    along = np.random.default_rng(0).normal(size=(flat[0].shape[1], directions))
    along /= np.linalg.norm(along, axis=0)
    one, other = (np.sort(samples @ along, axis=0) for samples in flat)
    return float(np.sqrt(np.square(one - other).mean()))


def learn(
    process: Any,
    draw: Distribution,
    *,
    sampler: SamplerConfig | None = None,
    steps: int = 1500,
    width: int = 128,
    teacher: Any = None,
    seed: int = 0,
) -> Any:
    """A sampler trained on fresh draws for so many steps of 256, its weights averaged at the end.

    It is sampled as the method is by itself unless `sampler` says otherwise. `teacher` is a trained
    sampler that a `Consistency` is distilled from.
    """
    random = np.random.default_rng(seed)
    _, horizon, size = draw(1, random).shape
    spec = PolicySpec.select(
        {"state": (1,), "action": (size,)},
        observations=["state"],
        chunking=Chunking(obs_steps=1, horizon=horizon, execute=1),
    )
    ends = {f.name: np.array([[-1.0] * f.size, [1.0] * f.size]) for f in spec.features}
    unit = {name: statistics_of(values) for name, values in ends.items()}
    sampler = SamplerConfig() if sampler is None else sampler
    config = PolicyConfig(denoiser=MLPConfig(width=width), process=process, sampler=sampler)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module: Any = config.build(spec, unit).sampler
        loss_of, peak = module.loss, 2e-3
        if teacher is not None:
            module.denoiser.load_state_dict(teacher.denoiser.state_dict())
            loss_of, peak = partial(module.objective, module, teacher=teacher), 2e-3 / 5
        average = torch.optim.swa_utils.AveragedModel(
            module, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
        )
        optimiser = torch.optim.AdamW(module.parameters(), betas=(0.95, 0.999), fused=True)
        for step in range(steps):
            chunks = torch.from_numpy(draw(256, random))
            given = (chunks, torch.randn(chunks.shape), random.random(256), torch.zeros(256, 1, 1))
            optimiser.zero_grad()
            loss_of(*given).backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            rate = peak * min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            average.update_parameters(module)
    return average.module.eval()


@torch.inference_mode()
def generate(sampler: Any, shape: tuple[int, int], count: int, *, seed: int = 0) -> Chunks:
    """Chunks of (horizon, action_size) `shape` from a trained sampler."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((count, 1 + sampler.steps, *shape), generator=generator)
    return sampler(noise[:, 0], torch.zeros(count, 1, 1), noise[:, 1:]).numpy()
