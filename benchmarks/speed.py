"""`make bench`: how fast training steps and chunks are, as ratios within one run.

Absolute times depend on the machine and on what else it does; the ratios are what to quote.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from steadyhand.data import Episodes
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.nets.choices import MLPConfig, UNetConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.recipes import recipe
from steadyhand.runtime import ChunkRequest
from steadyhand.training.train import build_policy
from steadyhand.training.trainer import Trainer


def episodes() -> Episodes:
    """Made-up numbers of the shapes of Push-T: the speed does not depend on the values."""
    random = np.random.default_rng(0)
    shapes = {"state": (5,), "keypoint": (9, 2), "action": (2,)}
    arrays = {
        key: random.uniform(0, 512, (25_600, *shape)).astype(np.float32)
        for key, shape in shapes.items()
    }
    return Episodes(arrays, np.arange(128, 25_601, 128))


def rounds(candidates: dict[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Median milliseconds of each, measured in turn, so that drift falls on all alike."""
    spent: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(times + 2):
        for name, work in candidates.items():
            begun = time.perf_counter()
            work()
            if number >= 2:
                spent[name].append(1000 * (time.perf_counter() - begun))
    return {name: statistics.median(values) for name, values in spent.items()}


def table(title: str, found: dict[str, float]) -> None:
    """The first row is 1."""
    print(f"\n{title}")
    first = next(iter(found.values()))
    for name, milliseconds in found.items():
        print(f"  {name:34}{milliseconds:9.2f} ms{milliseconds / first:8.2f}")


def main() -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    data = episodes()
    base = replace(recipe("pusht_state"), prepare=(), device="cpu", steps=1000)
    networks = {"mlp": MLPConfig(), "unet": UNetConfig()}

    steps: dict[str, Callable[[], object]] = {}
    for name, network in networks.items():
        for precision in ("float32", "bfloat16"):
            policy = replace(base.policy, denoiser=network)
            config = replace(base, policy=policy, precision=precision)
            trainer = Trainer(build_policy(config, data), data, config)
            steps[f"{name} {precision}"] = lambda trainer=trainer: float(trainer.step(0))
    table("one training step, batch 256", rounds(steps, 8))

    chunks: dict[str, Callable[[], object]] = {}
    window = {
        "keypoint": np.zeros((2, 9, 2), np.float32),
        "state": np.zeros((2, 5), np.float32),
    }
    for name, network in networks.items():
        for calls in (1, 5, 10):
            parts: PolicyConfig = replace(
                base.policy,
                denoiser=network,
                sampler=SamplerConfig(solver="euler", steps=calls),
            )
            policy = build_policy(replace(base, policy=parts), data)
            predictor = TorchPredictor(policy)
            request = ChunkRequest(observation=window)
            chunks[f"{name}, {calls} calls"] = lambda p=predictor, r=request: p.predict([r])
    table("one chunk, batch 1, float32", rounds(chunks, 40))


if __name__ == "__main__":
    main()
