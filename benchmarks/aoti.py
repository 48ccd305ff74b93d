"""Policies as machine code: the named methods beside the original, and how fast a chunk is.

    python benchmarks/aoti.py

Needs a C++ compiler; a policy takes it ten seconds to a minute. One thread each, measured in turns.
"""

import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import steadyhand as sh
from steadyhand.data import statistics_of
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.export.folder import write_export
from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.recipes.methods import METHODS, NETWORKS
from steadyhand.runtime import ChunkRequest
from steadyhand.spec import PolicySpec

ROUNDS, CHUNKS = 60, 4


def policy(denoiser: Any, method: str, sampler: SamplerConfig | None = None) -> Policy:
    """Of a state of five numbers, with weights that are not those of the beginning."""
    spec = PolicySpec.select({"state": (5,), "action": (2,)}, observations=["state"])
    random = np.random.default_rng(0)
    found = {f.name: statistics_of(random.normal(2, 3, (50, *f.shape))) for f in spec.features}
    parts = {"denoiser": denoiser, "process": METHODS[method]}
    made = PolicyConfig(**parts, **({"sampler": sampler} if sampler else {})).build(spec, found)
    torch.manual_seed(0)
    for parameter in made.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return made.eval()


def requests() -> list[ChunkRequest]:
    random = np.random.default_rng(1)
    states = random.normal(2, 3, (CHUNKS, 2, 5)).astype(np.float32)
    return [ChunkRequest(observation={"state": s}, number=n) for n, s in enumerate(states)]


def apart(made: Any, other: Any) -> float:
    """The largest difference, as a share of the largest number."""
    pairs = [(made.predict([one]), other.predict([one])) for one in requests()]
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


def methods(folder: Path) -> None:
    """Every named method, with a small perceptron."""
    sys.stdout.write(f"\n{'method':14}{'calls':>6}{'difference':>12}{'compiled in':>12}\n")
    for name in METHODS:
        made, begun = policy(MLPConfig(width=64, blocks=1), name), time.perf_counter()
        write_export(made, folder / name, engine="aoti")
        seconds = time.perf_counter() - begun
        far = apart(TorchPredictor(made), sh.load_exported(folder / name, trust_code=True))
        calls = getattr(made.sampler, "steps", 1)
        sys.stdout.write(f"{name:14}{calls:6}{far:12.1e}{seconds:10.0f} s\n")
        sys.stdout.flush()


def speed(folder: Path) -> None:
    """Milliseconds of a chunk of flow in ten steps."""
    for name in ("mlp", "unet"):
        made = policy(NETWORKS[name], "flow", SamplerConfig(steps=10))
        original = TorchPredictor(made)
        there: dict[str, Any] = {"torch": original}
        for engine, precision in (
            ("aoti", "float32"),
            ("aoti", "bfloat16"),
            ("openvino", "float32"),
        ):
            where = folder / f"{name}-{engine}-{precision}"
            write_export(made, where, engine=engine, precision=precision, continuations=())
            there[f"{engine} {precision}"] = sh.load_exported(where, trust_code=True)
        spent = {key: list[float]() for key in there}
        asked = requests()[:1]
        for _ in range(ROUNDS):
            for key, predictor in there.items():
                begun = time.perf_counter()
                predictor.predict(asked)
                spent[key].append(1000 * (time.perf_counter() - begun))
        eager = statistics.median(spent["torch"])
        sys.stdout.write(f"\n{name}: flow in 10 steps\n")
        for key, values in spent.items():
            median, far = statistics.median(values), apart(original, there[key])
            sys.stdout.write(f"{key:20}{median:9.2f} ms{eager / median:8.1f} times{far:12.1e}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as found:
        methods(Path(found))
        speed(Path(found))
